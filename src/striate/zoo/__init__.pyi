from .curve import run_curve as run_curve
from .fitting import fitting_recipes as fitting_recipes
from .markdown import zoo_markdown as zoo_markdown
from .measure import run_zoo as run_zoo
from .page import write_page as write_page
from .results import ZooResults as ZooResults
