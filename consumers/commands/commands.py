"""The write side: every command of the engine. Only usage comes in another way, through intake."""

from __future__ import annotations

from consumers.commands.api_keys import KeyCommands
from consumers.commands.budgeted_customers import BudgetedCustomerCommands
from consumers.commands.budgets import BudgetCommands
from consumers.commands.corrections import CorrectionCommands
from consumers.commands.customers import CustomerCommands
from consumers.commands.handler import CommandHandler, CommandResult
from consumers.commands.log import LogCommands
from consumers.commands.meters import MeterCommands
from consumers.commands.prices import PriceCommands

__all__ = ["CommandHandler", "CommandResult", "Commands"]


class Commands(
    CustomerCommands,
    BudgetedCustomerCommands,
    BudgetCommands,
    MeterCommands,
    PriceCommands,
    CorrectionCommands,
    KeyCommands,
    LogCommands,
):
    """All commands on one log. Each returns after its events are durable."""
