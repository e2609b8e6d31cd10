"""What people look at: the report page of one result, the contact sheet of a batch."""

from __future__ import annotations

from .contact import write_summary as write_summary
from .report import write_report as write_report
