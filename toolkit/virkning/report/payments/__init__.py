"""The payment chapter: what each party pays and gets under an outcomes contract, and how sure that is."""

from .page import PaymentPage
from .published import reproduces

__all__ = ["PaymentPage", "reproduces"]
