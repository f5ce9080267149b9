from .jobs import Job as Job
from .jobs import JobResult as JobResult
from .jobs import run_jobs as run_jobs
from .scores import RunScores as RunScores
from .scores import score_run as score_run
