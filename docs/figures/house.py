"""Draw the rooms of striate in the one direction of imports: writes house.png."""

from figure_style import BLUE, GREY, arrow, box, canvas, save, use_plot_style

ROOMS = (
    (
        ("recordings", "read, check, pack,\nwrite, convert"),
        ("metrics", "scores, ceilings,\nintervals"),
        ("stimuli", "images\nby formula"),
        ("simulate", "mice whose\ntruth is known"),
        ("catalog", "known datasets,\nby name"),
    ),
    (
        ("fetch", "downloads that\nend well"),
        ("data", "standardise,\nmake batches"),
        ("models", "core, readout,\nshifter"),
        ("training", "recipes, runs,\npredictions"),
        ("submissions", "files, matching,\nscorecards"),
    ),
    (
        ("report", "figures on\none page"),
        ("competition", "withhold, audit,\ncommit, close"),
        ("portal", "data and boards\non the web"),
        ("cli", "the command line:\nparses and prints"),
    ),
)

with use_plot_style():
    figure, axes = canvas(9.5, 3.2)
    for row, rooms in enumerate(ROOMS):
        y = 2.3 - 1.05 * row
        for column, (name, what) in enumerate(rooms):
            x = 0.15 + 1.88 * column
            box(axes, x, y, 1.55, 0.72, "", colour="#eef5fa", edge=BLUE)
            axes.text(
                x + 0.775,
                y + 0.55,
                name,
                ha="center",
                va="center",
                fontsize=9.5,
                fontweight="bold",
            )
            axes.text(
                x + 0.775,
                y + 0.25,
                what,
                ha="center",
                va="center",
                fontsize=8,
                color=GREY,
                linespacing=1.2,
            )
            if column < len(rooms) - 1:
                arrow(axes, (x + 1.58, y + 0.36), (x + 1.85, y + 0.36))
        if row < len(ROOMS) - 1:
            last = 0.15 + 1.88 * (len(rooms) - 1) + 0.775
            axes.plot(
                [last, last, 0.925, 0.925],
                [y - 0.03, y - 0.165, y - 0.165, y - 0.2],
                color=GREY,
                lw=1.1,
            )
            arrow(axes, (0.925, y - 0.19), (0.925, y - 0.31))
    save(figure, "house")
