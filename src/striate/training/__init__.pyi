from .predict import Predictions as Predictions
from .predict import predict as predict
from .recipe import Recipe as Recipe
from .recipe import load_recipe as load_recipe
from .recipe import recipe_names as recipe_names
from .recipe import recipe_text as recipe_text
from .run import Run as Run
from .train import train as train
