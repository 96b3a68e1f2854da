"""The ServerApp."""

from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.serverapp import ServerApp
from pawbrofl.report import RoundReport  # added
from pawbrofl.strategies import PAwBRoFL  # changed: was `from flwr.server.strategy import FedAvg`

from digitsfit.task import create_model, get_parameters


def average(metrics):
    total = sum(number for number, _ in metrics)
    return {"accuracy": sum(number * values["accuracy"] for number, values in metrics) / total}


def server_fn(context: Context):
    initial = get_parameters(create_model(context.run_config["local-epochs"]))
    strategy = PAwBRoFL(  # changed: was `FedAvg(`
        on_round=RoundReport(context.run_config["results"]),  # added
        min_available_clients=5,
        evaluate_metrics_aggregation_fn=average,
        initial_parameters=ndarrays_to_parameters(initial),
    )
    config = ServerConfig(num_rounds=context.run_config["num-server-rounds"])
    return ServerAppComponents(strategy=strategy, config=config)


app = ServerApp(server_fn=server_fn)
