"""The ClientApp."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from pawbrofl.attacks import malicious  # added, to attack it
from pawbrofl.strategies import measure_loss_gap  # added

from digitsmessage import task

app = ClientApp(mods=[malicious("sign-flip+inflated-report", fraction=0.2)])  # changed, to attack it


def model_and_data(message: Message, context: Context):
    net = task.Net()
    net.load_state_dict(message.content["arrays"].to_torch_state_dict())
    node = context.node_config
    return net, *task.load_data(node["partition-id"], node["num-partitions"])


@app.train()
def train(message: Message, context: Context):
    net, train_loader, _ = model_and_data(message, context)
    settings = context.run_config
    with measure_loss_gap(lambda: task.test(net, train_loader)[0]) as gap:  # added
        task.train(net, train_loader, settings["local-epochs"], settings["learning-rate"])
    metrics = {"num-examples": len(train_loader.dataset), "loss-gap": gap.value}  # added: the gap
    content = {"arrays": ArrayRecord(net.state_dict()), "metrics": MetricRecord(metrics)}
    return Message(content=RecordDict(content), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context):
    net, _, test_loader = model_and_data(message, context)
    loss, accuracy = task.test(net, test_loader)
    metrics = {"num-examples": len(test_loader.dataset), "loss": loss, "accuracy": accuracy}
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=message)
