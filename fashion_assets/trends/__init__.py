"""What styles and keywords do over the months: series with intervals, life-cycle stages, forecasts and their
backtest.

Belongs here: everything that starts from a table of counts or values per month (or week). Does not: finding
styles or keywords (``styles``, ``keywords``), drawing charts (``reports``), anything of Dagster (``defs``).
"""
