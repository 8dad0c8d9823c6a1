"""The write side: every command that changes what the engine knows, beside the intake of usage."""

from __future__ import annotations

from consumers.budgeted_customer_commands import BudgetedCustomerCommands
from consumers.catalogue_commands import CatalogueCommands
from consumers.command_desk import CommandDesk, CommandResult
from consumers.customer_commands import CustomerCommands
from consumers.key_commands import KeyCommands
from consumers.log_commands import LogCommands

__all__ = ["CommandDesk", "CommandResult", "Commands"]


class Commands(CustomerCommands, BudgetedCustomerCommands, CatalogueCommands, KeyCommands, LogCommands):
    """All commands over one log. Each is answered after its events are durable."""
