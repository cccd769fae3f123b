import typer

app = typer.Typer()


@app.command()
def status(service: str, build: str) -> None:
    """Look once."""


@app.command()
def wait(service: str, build: str) -> None:
    """Wait for the end."""


app()
