"""Draw the results of the zoo in docs/zoo: writes zoo-*.png, in place of all earlier ones (takes seconds)."""

from figure_style import HERE, save

from striate.zoo import ZooResults
from striate.zoo.figures import low_data_curve, score_against_cost
from striate.zoo.markdown import figure_names

for old in HERE.glob("zoo-*.png"):
    old.unlink()
for path in sorted((HERE.parent / "zoo").glob("*.json")):
    results = ZooResults.read(path)
    tier = next(
        (tier for tier in results.tiers if tier != results.validation_tier),
        results.validation_tier,
    )
    for name, shown in figure_names(results).items():
        if isinstance(shown, str):
            figure = score_against_cost(
                results.protocols[shown], tier, results.ranking_metric
            )
        else:
            figure = low_data_curve(shown)
        save(figure, f"zoo-{path.stem}-{name}")
