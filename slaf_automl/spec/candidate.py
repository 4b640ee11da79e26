"""Architecture, recipe and candidate: what one trial evaluates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slaf_automl.errors import SpecError
from slaf_automl.spec.activation import ActivationSpec
from slaf_automl.spec.codec import (
    Value,
    optional_field,
    require_choice,
    require_integer,
    require_number,
    require_type,
    require_types,
)
from slaf_automl.spec.data import require_image

FAMILIES = ("mlp", "cnn", "resnet", "conv1d")
"""The network families; see `slaf_automl.networks.families`."""

POOLINGS = ("max", "average")
"""How a convolutional network halves its maps."""

HEADS = ("mean", "flatten")
"""What a `conv1d` hands its last layer: each map's mean, or every place of it."""

ROUTINES = ("joint", "alternate", "two_speed", "warm_start")
"""How weights and SLAF coefficients take turns; see `slaf_automl.training.routines`."""

_NEEDED = {
    "mlp": (),
    "cnn": ("image", "pooling"),
    "resnet": ("image", "blocks"),
    "conv1d": ("image", "pooling", "kernel", "head"),
}
"""What only some families have."""


@dataclass(frozen=True)
class Architecture(Value):
    """Network family, widths and placement: everything that fixes the shapes.

    Args:
        family: the network family, of `FAMILIES`.
        inputs: number of input features; of images channels × height × width.
        outputs: number of outputs (logits or target values).
        widths: units of each hidden layer, or channels of each convolution (`cnn`, `conv1d`) or
            stage (`resnet`).
        placement: the activation spec of each slot, in order of use.
        centred_inputs: the deployed network stores one mean per input column (of images, per
            channel) and subtracts it first, because a column lies too many spreads from zero to
            fold into the first layer.
        image: channels, height and width of an example, of a series (channels, 1, length); None
            for a table.
        pooling: of `POOLINGS`, how a `cnn` or `conv1d` halves its maps.
        blocks: residual blocks of each stage of a `resnet`.
        filled_inputs: places of the inputs whose gaps (NaN) the deployed network fills, each with a
            value that it stores; None where no input has gaps.
        kernel: places in the window of each convolution of a `conv1d`, at least two.
        head: of `HEADS`, what the last layer of a `conv1d` takes.
        residual: True of an `mlp` with identity links around its hidden layers, which then are at
            least two and of one width; None without.
        input_activation: a SLAF that an `mlp` applies to every input before its first layer, one
            function an input; None without. Its spec's normaliser is `input` or `frozen`.

    Raises:
        SpecError: a size below one, a value that the family needs and lacks or has no use for, or
            not one spec per slot.
    """

    family: str
    inputs: int
    outputs: int
    widths: tuple[int, ...]
    placement: tuple[ActivationSpec, ...]
    centred_inputs: bool = False
    image: tuple[int, int, int] | None = optional_field()
    pooling: str | None = optional_field()
    blocks: int | None = optional_field()
    filled_inputs: tuple[int, ...] | None = optional_field()
    kernel: int | None = optional_field()
    head: str | None = optional_field()
    residual: bool | None = optional_field()
    input_activation: ActivationSpec | None = optional_field()

    def __post_init__(self) -> None:
        require_choice("network family", self.family, FAMILIES)
        require_integer("Architecture.inputs", self.inputs, 1)
        require_integer("Architecture.outputs", self.outputs, 1)
        require_types("Architecture.widths", self.widths, int)
        require_types("Architecture.placement", self.placement, ActivationSpec)
        require_type("Architecture.centred_inputs", self.centred_inputs, bool)
        if not self.widths:
            raise SpecError("Architecture.widths ()", expected="at least one hidden layer")
        for width in self.widths:
            require_integer("Architecture.widths entry", width, 1)
        if self.filled_inputs is not None:
            require_types("Architecture.filled_inputs", self.filled_inputs, int)
            places = range(self.inputs)
            if not self.filled_inputs or any(i not in places for i in self.filled_inputs):
                raise SpecError(
                    f"Architecture.filled_inputs {self.filled_inputs!r}",
                    expected=f"places from 0 to {self.inputs - 1}",
                )
        self._require_of_family()
        slots = len(self.widths) if self.blocks is None else 1 + 2 * self.blocks * len(self.widths)
        if len(self.placement) != slots:
            raise SpecError(
                f"{len(self.placement)} activation specs for {slots} slots",
                expected="one spec per slot",
            )

    def _require_of_family(self) -> None:
        """Check what only some families have."""
        for name in ("image", "pooling", "blocks", "kernel", "head"):
            given = getattr(self, name)
            if (given is not None) != (name in _NEEDED[self.family]):
                raise SpecError(
                    f"Architecture.{name} {given!r} of family {self.family!r}",
                    expected="a value" if given is None else "None",
                )
        if self.image is not None:
            require_image("Architecture.image", self.image, self.inputs)
            if self.family == "conv1d" and self.image[1] != 1:
                raise SpecError(
                    f"Architecture.image {self.image!r} of family 'conv1d'",
                    expected="a series: (channels, 1, length)",
                )
        if self.pooling is not None:
            require_choice("pooling", self.pooling, POOLINGS)
        if self.blocks is not None:
            require_integer("Architecture.blocks", self.blocks, 1)
        if self.kernel is not None:
            require_integer("Architecture.kernel", self.kernel, 2)
        if self.head is not None:
            require_choice("head", self.head, HEADS)
        if self.residual is not None:
            self._require_linked()
        if self.input_activation is not None:
            self._require_input_activation()

    def _require_linked(self) -> None:
        """Check what identity links need."""
        if self.residual is not True or self.family != "mlp":
            raise SpecError(
                f"Architecture.residual {self.residual!r} of family {self.family!r}",
                expected="True of an mlp, or None",
            )
        if len(self.widths) < 2 or len(set(self.widths)) > 1:
            raise SpecError(
                f"Architecture.residual with widths {self.widths!r}",
                expected="at least two hidden layers, all of one width",
            )

    def _require_input_activation(self) -> None:
        spec = self.input_activation
        require_type("Architecture.input_activation", spec, ActivationSpec)
        assert spec is not None
        if self.family != "mlp" or spec.kind != "slaf":
            raise SpecError(
                f"Architecture.input_activation of kind {spec.kind!r}, family {self.family!r}",
                expected="a slaf, of an mlp",
            )
        found = {name: spec.parameters.get(name) for name in ("normaliser", "sharing", "hybrid")}
        shares = found["sharing"] in ("channel", "layer")
        if found["normaliser"] not in ("input", "frozen") or not shares:
            raise SpecError(
                f"Architecture.input_activation with {found}",
                expected="normaliser 'input' or 'frozen', and sharing 'channel' or 'layer'",
            )
        if found["hybrid"] != 0.0:
            raise SpecError(
                f"Architecture.input_activation with hybrid {found['hybrid']!r}",
                expected="0.0: ReLU would lose half of an input",
            )

    @property
    def specs(self) -> tuple[ActivationSpec, ...]:
        """The spec of every slot of the network: those of `placement`, then that of the inputs."""
        return (*self.placement, *([self.input_activation] if self.input_activation else []))

    def with_specs(self, specs: tuple[ActivationSpec, ...]) -> Architecture:
        """Return the architecture with other specs, as `specs` orders them."""
        count = len(self.placement)
        last = specs[count] if len(specs) > count else None
        return replace(self, placement=specs[:count], input_activation=last)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The activation kind of each slot, in order of use."""
        return tuple(spec.kind for spec in self.placement)


@dataclass(frozen=True)
class Recipe(Value):
    """How a network is trained: AdamW under a warm-up and a cosine decay.

    Args:
        routine: one of `ROUTINES`.
        learning_rate: peak rate of the weights.
        weight_decay: decoupled decay of the weights (never of biases or normalisers).
        epochs: passes over the training rows at most.
        batch_size: rows a step.
        coefficient_rate: the coefficients' learning rate as a multiple of `learning_rate`; used
            by the routine `two_speed` only, the other routines train both at one rate.
        coefficient_decay: decoupled decay of the coefficients.
        coefficient_l1: weight of the hierarchical L1 penalty on the coefficients, which takes away
            the highest elements of a slot; what is gone is not deployed.
        hold_statistics: share of the steps after which normalisers keep their statistics, so that
            what trains on is what will be deployed: batch noise hurts small tables most. None
            leaves batch statistics on to the end.
        gradient_clip: upper limit of the global gradient norm; None switches it off.
        patience: epochs without a better validation metric before training ends early;
            None trains to the end.

    Raises:
        SpecError: an unknown routine or a number out of range.
    """

    routine: str = "joint"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    epochs: int = 54
    batch_size: int = 64
    coefficient_rate: float = 1.0
    coefficient_decay: float = 0.0
    coefficient_l1: float = 0.0
    hold_statistics: float | None = 0.05
    gradient_clip: float | None = 1.0
    patience: int | None = None

    def __post_init__(self) -> None:
        require_choice("routine", self.routine, ROUTINES)
        require_number("Recipe.learning_rate", self.learning_rate, low=0, open_low=True)
        require_number("Recipe.weight_decay", self.weight_decay, low=0)
        require_integer("Recipe.epochs", self.epochs, 1)
        require_integer("Recipe.batch_size", self.batch_size, 1)
        require_number("Recipe.coefficient_rate", self.coefficient_rate, low=0, open_low=True)
        require_number("Recipe.coefficient_decay", self.coefficient_decay, low=0)
        require_number("Recipe.coefficient_l1", self.coefficient_l1, low=0)
        if self.hold_statistics is not None:
            require_number("Recipe.hold_statistics", self.hold_statistics, low=0)
            if self.hold_statistics > 1:
                raise SpecError(
                    f"Recipe.hold_statistics {self.hold_statistics!r}", expected="a share up to 1"
                )
        if self.gradient_clip is not None:
            require_number("Recipe.gradient_clip", self.gradient_clip, low=0, open_low=True)
        if self.patience is not None:
            require_integer("Recipe.patience", self.patience, 1)


@dataclass(frozen=True)
class Candidate(Value):
    """Architecture and recipe together: what one trial evaluates."""

    architecture: Architecture
    recipe: Recipe

    def __post_init__(self) -> None:
        require_type("Candidate.architecture", self.architecture, Architecture)
        require_type("Candidate.recipe", self.recipe, Recipe)
        if self.architecture.input_activation and self.recipe.routine == "warm_start":
            raise SpecError(
                "routine 'warm_start' with an activation of the inputs",
                expected="another routine: inputs have no ReLU to begin with",
            )
