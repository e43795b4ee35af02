"""`bst help`."""

import click


@click.command("help", short_help="Show how to use a command", add_help_option=False)
@click.argument("command", nargs=-1, metavar="COMMAND")
@click.pass_context
def help_(context: click.Context, command: tuple[str, ...]) -> None:
    """Shows how COMMAND is used; a group and its command are two words."""
    assert context.parent is not None, "help is a command of bst"
    current: click.Command = context.parent.command
    current_context = context.parent
    for count, word in enumerate(command, start=1):
        found = current.get_command(current_context, word) if isinstance(current, click.Group) else None
        if found is None:
            words = " ".join(command[:count])
            click.echo(f"Not a valid command: '{context.parent.info_name} {words}'", err=True)
            context.exit(255)
        current = found
        current_context = click.Context(
            found, parent=current_context, info_name=word, **found.context_settings
        )
    click.echo(current.get_help(current_context), err=True)
    if isinstance(current, click.Group):
        group = f"{' '.join(command)} " if command else ""
        click.echo(f"\nFor usage on a specific command: bst help {group}COMMAND", err=True)
