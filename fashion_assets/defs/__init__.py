"""What Dagster sees: thin assets, checks, sensors, schedules, jobs and resources.

Belongs here: names, partitions, dependencies, metadata, and the call of one or two domain functions. Does
not belong here: any computation on the data; when an asset body passes about 25 lines, it moves down.
"""

import warnings

import dagster as dg

# Checks with partitions and selections by text are in preview at this release; the pin in constraints.txt is
# what protects us from a change in them, a warning at every start is not.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)
