"""The Flower app: its configuration, data, model, ServerApp, ClientApp, records and command."""
