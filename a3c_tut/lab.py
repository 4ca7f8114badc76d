"""The lab: a run's knobs beside its two figures, fast enough to follow a slider (Section 5).

Nearly all the time of a drawing goes into text (tick labels, mostly) and into the layout around it,
and neither changes from run to run. So `LiveFigures` draws them once, keeps them as pixels, and an
update only puts the new run's marks, colours and arrows on top. `Lab` is the widget around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from a3c_tut import figures
from a3c_tut.config import A3CConfig
from a3c_tut.errors import DivergenceError
from a3c_tut.experiments import final_return, recent_means
from a3c_tut.results import TrainingResult
from a3c_tut.schedules import RandomSchedule
from a3c_tut.training import train
from a3c_tut.worlds import WORLDS, grid_world

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D


class LiveFigures:
    """Figures 1 and 2 of one run after another, as PNG.

    The same pictures as `plot_returns` and `plot_policy`; the arrangement is that of the first run.
    A run of another world, number of workers or shape is drawn from scratch.

    Parameters
    ----------
    result : TrainingResult
        The first run.
    window : int from 1
        Episodes in the moving average.
    references : mapping of name to return, optional
        Dashed lines; default: `reference_returns` of the world.
    dpi : int
        Pixels per inch; both figures are `figures.NARROW` inches wide.

    Examples
    --------
    >>> from a3c_tut import cliff_world, train
    >>> live = LiveFigures(train(cliff_world()))
    >>> live.update(train(cliff_world(), seed=1))
    >>> [png[1:4] for png in live.pngs()]
    [b'PNG', b'PNG']
    """

    def __init__(
        self,
        result: TrainingResult,
        window: int = 50,
        references: Mapping[str, float] | None = None,
        dpi: int = 100,
    ):
        self._window, self._given, self._dpi = window, references, dpi
        self._draw_anew(result)

    def update(self, result: TrainingResult) -> None:
        """Show another run."""
        if self._shape(result) != self._drawn or (self._path is None and self._way(result)):
            self._draw_anew(result)
            return
        self._set_returns(result)
        self._set_policy(result)
        for layer in self._layers:
            layer.draw()

    def pngs(self) -> tuple[bytes, bytes]:
        """Return both pictures."""
        first, second = (layer.png() for layer in self._layers)
        return first, second

    def _shape(self, result: TrainingResult) -> tuple[Any, ...]:
        """Return what cannot change without another arrangement of the picture."""
        world = result.world
        return (
            world.name, world.num_states, world.num_actions, world.grid_shape,
            tuple(world.marks.items()), tuple(self._references(result).items()),
            result.config.num_workers, result.total_steps, figures.first_moment(result),
            np.unique(result.episodes["worker"]).tolist(),
        )  # fmt: skip

    def _references(self, result: TrainingResult) -> Mapping[str, float]:
        if self._given is not None:
            return self._given
        return figures.reference_returns(result.world)

    def _way(self, result: TrainingResult) -> list[int]:
        return figures._path_through(result) if self._map is not None else []

    def _draw_anew(self, result: TrainingResult) -> None:
        self._drawn = self._shape(result)
        references = self._references(result)
        one = figures.plot_returns(result, self._window, references)
        two = figures.plot_policy(result)
        has_map = figures.has_map(result.world)
        self._returns, self._heatmap = one.axes[0], two.axes[int(has_map)]
        self._map = two.axes[0] if has_map else None
        self._path: Line2D | None = None
        drawn: list[Artist] = [*self._heatmap.images, *self._heatmap.lines]
        if self._map is not None:
            drawn += [*self._map.collections, *self._map.lines, *self._map.texts]
            if self._map.lines:
                self._path = self._map.lines[0]
                drawn.append(_legend(self._map))
        self._layers = (
            _Layer(
                one,
                [self._returns.yaxis, *self._returns.lines, *self._returns.texts],
                self._dpi,
            ),
            _Layer(two, drawn, self._dpi),
        )

    def _set_returns(self, result: TrainingResult) -> None:
        axes, episodes, number = self._returns, result.episodes, result.config.num_workers
        for worker, (steps, returns, means) in enumerate(
            figures.own_episodes(result, self._window)
        ):
            axes.lines[worker].set_data(steps, returns)
            axes.lines[number + worker].set_data(steps, means)
        axes.lines[2 * number].set_data(
            episodes["step"], recent_means(episodes["total_return"], self._window)
        )
        references = [*self._references(result).values()]
        figures._scale_returns(axes, np.concatenate([episodes["total_return"], references]))
        figures.name_workers(axes, result)

    def _set_policy(self, result: TrainingResult) -> None:
        world, policy = result.world, figures.seen_policy(result)
        self._heatmap.images[0].set_data(policy.T)
        if self._map is None or world.grid_shape is None:
            return
        self._map.collections[0].set_array(policy[figures.map_cells(world)].ravel())
        if self._path is None:
            return
        path, legend = self._way(result), _legend(self._map)
        row, column = np.divmod(np.array(path, dtype=int), world.grid_shape[1])
        self._path.set_data(column, row)
        legend.set_visible(bool(path))
        legend.get_texts()[0].set_text(figures.path_words(path))


def _legend(axes: Axes) -> Legend:
    legend = axes.get_legend()
    assert legend is not None
    return legend


class _Layer:
    """One figure: what stays, as pixels, and what is drawn on it each time."""

    def __init__(self, figure: Figure, live: list[Artist], dpi: int):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure.set_dpi(dpi)
        engine: Any = figure.get_layout_engine()
        engine.set(rect=(0.03, 0.0, 0.97, 1.0))  # another run's numbers may be wider
        self._canvas = FigureCanvasAgg(figure)
        self._canvas.draw()  # arranges it, once
        figure.set_layout_engine("none")
        # The frame is drawn again with what it frames, which would otherwise cover half of it.
        frames = [spine for axes in figure.axes for spine in axes.spines.values()]
        self._live = sorted([*live, *frames], key=lambda artist: artist.get_zorder())
        for artist in self._live:
            artist.set_animated(True)
        self._canvas.draw()
        self._rest = self._canvas.copy_from_bbox(figure.bbox)
        self._figure = figure
        self.draw()

    def draw(self) -> None:
        """Draw what has changed on what has not."""
        self._canvas.restore_region(self._rest)
        renderer = self._canvas.get_renderer()
        for artist in self._live:
            artist.draw(renderer)

    def png(self) -> bytes:
        """Return the picture."""
        from PIL import Image

        buffer = BytesIO()
        # Fast rather than small: it is looked at once.
        Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3]).save(
            buffer, "png", compress_level=1
        )
        return buffer.getvalue()


_SCHEDULES = {
    "round robin": lambda num_workers: "round_robin",
    "random": lambda num_workers: "random",
    "worker 0 five times slower": lambda num_workers: RandomSchedule(
        (0.2,) + (1.0,) * (num_workers - 1)
    ),
}


def _norms(default: A3CConfig) -> list[Any]:
    """Return what the gradient can be clipped at, the default among it."""
    norms = {0.2, 0.5, 1.0, 2.0, 5.0, 40.0, default.max_grad_norm} - {None}
    return [("no clipping", None), *sorted(norms)]  # type: ignore[type-var]


class Lab:
    """Figures 1 and 2 with the knobs of a run: moving one trains and draws again at once.

    Needs Jupyter and ipywidgets (extra `lab`). On the static page its place is taken by the live
    version, which needs neither.

    Parameters
    ----------
    total_steps : int from 1
        Environment steps of each training.
    map : str or sequence of str, optional
        A world of one's own, as `grid_world` reads it; the lab begins with it.

    Raises
    ------
    ImportError
        When ipywidgets is missing; the message says how to install it.
    ValueError
        When the map is none.

    Examples
    --------
    >>> lab = Lab(total_steps=6_000)
    >>> lab.knobs["num_workers"].value = 2  # what a slider does
    >>> lab.result.config.num_workers, "num_workers=2" in lab.code()
    (2, True)
    >>> lab.config() == lab.result.config, len(lab.show().children)
    (True, 2)
    >>> Lab(total_steps=2_000, map=["...", "S#G"]).result.world.grid_shape
    (2, 3)
    """

    def __init__(self, total_steps: int = 60_000, map: str | Sequence[str] | None = None):
        try:
            import ipywidgets
        except ImportError as error:
            raise ImportError(
                "the lab needs ipywidgets; install it with `pip install 'a3c_tut[lab]'`"
            ) from error
        self._widgets, self._total_steps, self._drawn = ipywidgets, total_steps, map
        self.knobs = self._make_knobs()
        self.result = self._train()
        self._live = LiveFigures(self.result)
        self._pictures = [ipywidgets.Image(format="png") for _ in range(2)]
        self._said = ipywidgets.HTML()
        self._code = ipywidgets.Textarea(
            description="Python", layout={"width": "100%", "height": "5.5em", "display": "none"}
        )
        button = ipywidgets.Button(description="Show the code", tooltip="The call that does this")
        button.on_click(lambda _: self._show_code())
        self._button = button
        for knob in self.knobs.values():
            knob.observe(self._moved, names="value")
        self._draw()

    def _make_knobs(self) -> dict[str, Any]:
        w, default = self._widgets, A3CConfig()
        own = [] if self._drawn is None else ["map"]
        style = {"style": {"description_width": "9em"}, "continuous_update": True}

        def slider(label: str, value: int, low: int, high: int) -> Any:
            return w.IntSlider(value, low, high, description=label, **style)

        def log_slider(label: str, value: float, low: float, high: float) -> Any:
            return w.FloatLogSlider(value, min=low, max=high, step=0.1, description=label,
                                    readout_format=".3g", **style)  # fmt: skip

        def choice(label: str, options: Any, value: Any) -> Any:
            return w.Dropdown(options=options, value=value, description=label,
                              style={"description_width": "9em"})  # fmt: skip

        return {
            "world": choice("world", [*own, *WORLDS], [*own, "cliff"][0]),
            "num_workers": slider("workers", default.num_workers, 1, 16),
            "rollout_length": slider("rollout length n", default.longest_rollout, 1, 50),
            "gamma": w.FloatSlider(default.gamma, min=0.8, max=1.0, step=0.01,
                                   description="discount γ", **style),
            "entropy_coef": w.FloatSlider(default.per_worker("entropy_coef")[0], min=0.0, max=0.5,
                                          step=0.01, description="entropy β", **style),
            "actor_lr": log_slider("actor step size", default.per_worker("actor_lr")[0], -3, 1),
            "critic_lr": log_slider("critic step size", default.per_worker("critic_lr")[0], -3, 1),
            "optimizer": choice("optimizer", ("rmsprop", "sgd"), default.optimizer),
            "max_grad_norm": choice("clip at", _norms(default), default.max_grad_norm),
            "lr_anneal": choice("annealing", (("none", None), "global", "per_worker"),
                                default.lr_anneal),
            "schedule": choice("schedule", list(_SCHEDULES), "round robin"),
            "seed": slider("seed", 0, 0, 99),
        }  # fmt: skip

    def config(self) -> A3CConfig:
        """Return the configuration on screen."""
        own = ("world", "schedule", "seed")
        return A3CConfig(**{name: k.value for name, k in self.knobs.items() if name not in own})

    def _schedule(self) -> Any:
        return _SCHEDULES[self.knobs["schedule"].value](self.knobs["num_workers"].value)

    def code(self) -> str:
        """Return the Python that reproduces what is on screen."""
        default, config = A3CConfig(), self.config()
        changed = ", ".join(
            f"{name}={value!r}"
            for name, value in config.as_dict().items()
            if value != getattr(default, name)
        )
        drawn = self.knobs["world"].value == "map"
        world = "grid_world" if drawn else WORLDS[self.knobs["world"].value].make.__name__
        given = repr(self._drawn) if drawn else ""
        return (
            "from a3c_tut import A3CConfig, RandomSchedule, train\n"
            f"from a3c_tut import {world}\n"
            f"config = A3CConfig({changed})\n"
            f"result = train({world}({given}), config, total_steps={self._total_steps}, "
            f"seed={self.knobs['seed'].value}, schedule={self._schedule()!r})"
        )

    def _train(self) -> TrainingResult:
        key = self.knobs["world"].value
        world = (
            WORLDS[key].make() if self._drawn is None or key != "map" else grid_world(self._drawn)
        )
        return train(world, self.config(), total_steps=self._total_steps,
                     seed=self.knobs["seed"].value, schedule=self._schedule())  # fmt: skip

    def _moved(self, _: Any) -> None:
        try:
            self.result = self._train()
        except DivergenceError as error:
            self._said.value = f"<b>Diverged.</b> {escape(str(error))}"
            return
        self._live.update(self.result)
        self._draw()

    def _draw(self) -> None:
        for picture, png in zip(self._pictures, self._live.pngs(), strict=True):
            picture.value = png
        done = len(self.result.episodes)
        said = f"{done:,} episodes"
        if done:
            said += f"; the last 100 return {final_return(self.result):.1f} on average"
        self._said.value = f"<span role='status'>{said}.</span>"
        self._pictures[0].alt = f"Figure 1 for these settings. {said}."
        self._pictures[1].alt = "Figure 2 for these settings: the policy as a heatmap and a map."
        self._code.value = self.code()

    def _show_code(self) -> None:
        self._code.layout.display = "flex"
        self._code.value = self.code()

    def show(self) -> Any:
        """Return the widget to look at; the last line of a cell shows it."""
        w = self._widgets
        knobs = w.VBox(list(self.knobs.values()), layout={"min_width": "22em"})
        side = w.VBox([*self._pictures, self._said, self._button, self._code])
        return w.HBox([knobs, side], layout={"flex_flow": "row wrap"})


def show(total_steps: int = 60_000, map: str | Sequence[str] | None = None) -> Any:
    """Open the lab in a notebook.

    Parameters
    ----------
    total_steps : int from 1
        Environment steps of each training.
    map : str or sequence of str, optional
        A world of one's own, as `grid_world` reads it.

    Examples
    --------
    >>> len(show(total_steps=3_000).children)
    2
    """
    return Lab(total_steps, map).show()
