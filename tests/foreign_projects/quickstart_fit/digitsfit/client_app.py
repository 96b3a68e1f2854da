"""The ClientApp."""

import warnings

from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Context
from pawbrofl.attacks import malicious, poisoned  # added, to attack it
from sklearn.metrics import log_loss

from digitsfit.task import create_model, get_parameters, load_data, set_parameters


class FlowerClient(NumPyClient):
    def __init__(self, model, data):
        self.model = model
        self.X_train, self.X_test, self.y_train, self.y_test = data

    def fit(self, parameters, config):
        set_parameters(self.model, parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a few epochs do not converge
            self.model.fit(*poisoned((self.X_train, self.y_train)))  # changed, to attack it
        return get_parameters(self.model), len(self.X_train), {}

    def evaluate(self, parameters, config):
        set_parameters(self.model, parameters)
        loss = log_loss(self.y_test, self.model.predict_proba(self.X_test), labels=range(10))
        accuracy = self.model.score(self.X_test, self.y_test)
        return loss, len(self.X_test), {"accuracy": accuracy}


def client_fn(context: Context):
    data = load_data(context.node_config["partition-id"], context.node_config["num-partitions"])
    return FlowerClient(create_model(context.run_config["local-epochs"]), data).to_client()


app = ClientApp(client_fn, mods=[malicious("label-flip", fraction=0.2)])  # changed, to attack it
