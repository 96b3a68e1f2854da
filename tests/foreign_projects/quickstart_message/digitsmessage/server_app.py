"""The ServerApp."""

from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from pawbrofl.report import RoundReport  # added
from pawbrofl.strategies.message import PAwBRoFL  # changed: was `flwr.serverapp.strategy`, `FedAvg`

from digitsmessage.task import Net

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context):
    strategy = PAwBRoFL(  # changed: was `FedAvg(`
        on_round=RoundReport(context.run_config["results"]),  # added
        min_available_nodes=5,
        fraction_evaluate=1.0,
    )
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(Net().state_dict()),
        num_rounds=context.run_config["num-server-rounds"],
    )
