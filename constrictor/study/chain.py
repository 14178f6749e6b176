"""What a chain of steps makes, as far as it is known before anything runs, and why a chain cannot work."""

from __future__ import annotations

from typing import NamedTuple

from constrictor.errors import ConstrictorError, nearest
from constrictor.study.layers import layer_pairs, layer_problem
from constrictor.study.lineage import ancestry, last_step, steps_of
from constrictor.study.local_sources import local_layer_count
from constrictor.study.steps.distil import Distil, StudentModel
from constrictor.study.steps.export import Export
from constrictor.study.steps.feature_distillation import Matching
from constrictor.study.steps.finetune import Finetune
from constrictor.study.steps.prune import Layers, Prune, Vocabulary
from constrictor.study.steps.quantize import (
    BitsAndBytes,
    Dynamic,
    Half,
    QuantizationAware,
    Quantize,
    Static,
    WeightOnly,
)
from constrictor.study.steps.recovery import Recovery
from constrictor.study.study import Study
from constrictor.study.teachers import recovery_teacher


class Shape(NamedTuple):
    """What is known of a model before it is built."""

    format: str  # torch, onnx, ort or openvino
    precision: str  # fp32, or what it was quantized to
    layers: int | None  # None where only a download would tell


def chain_problem(study: Study, lineage: str) -> str | None:
    """Why a chain of known steps cannot work, with the fix; None if it can."""
    found = shape_of(study, lineage)
    return found if isinstance(found, str) else None


def shape_of(study: Study, lineage: str) -> Shape | str:
    """What is known of the model at the end of a chain; why the chain cannot work, if it cannot."""
    shape: Shape | None = None
    for node in ancestry(lineage):
        result = _after(study, last_step(node), shape)
        problem = result if isinstance(result, str) else _recovery_problem(study, node, result)
        if problem:
            return problem
        assert isinstance(result, Shape)
        shape = result
    assert shape is not None, "a lineage has a step"
    return shape


def _after(study: Study, name: str, parent: Shape | None) -> Shape | str:
    """What a step makes of a model, or of nothing where it begins a chain; why it cannot."""
    match step := study.steps[name]:
        case Finetune():
            return _finetuned(study, name, step, parent)
        case Distil():
            return _distilled(study, name, step, parent)
        case Prune():
            return _pruned(name, step, parent)
        case Quantize():
            return _quantized(name, step, parent)
        case Export():
            return _exported(name, step, parent)


def _finetuned(study: Study, name: str, step: Finetune, parent: Shape | None) -> Shape | str:
    if parent is None:
        if step.model_name is None:
            return f"'{name}' begins it and names no model. Add 'model:' to the step."
        layers = len(step.layers) if step.layers else None
        return Shape("torch", "fp32", layers or local_layer_count(study.models.get(step.model_name)))
    if step.model_name is not None:
        return f"'{name}' starts from the model '{step.model_name}' and can only begin a recipe."
    return parent if _is_float32(parent) else _needs_float32("trains", name, parent)


def _distilled(study: Study, name: str, step: Distil, parent: Shape | None) -> Shape | str:
    if parent is None:
        return f"'{name}' distils and has no teacher. Put the step that makes the teacher before it: 'teacher/{name}'."
    student = _student_shape(study, name, step, parent)
    return student if isinstance(student, str) else _matching_problem(name, step, student, parent) or student


def _student_shape(study: Study, name: str, step: Distil, teacher: Shape) -> Shape | str:
    if isinstance(step.student, StudentModel):
        return Shape("torch", "fp32", local_layer_count(study.models.get(step.student.model)))
    if not _is_float32(teacher):
        return _needs_float32("takes its student's layers from its teacher", name, teacher)
    wrong = layer_problem(step.student.layers, teacher.layers, f"the teacher of '{name}'")
    return wrong or Shape("torch", "fp32", len(step.student.layers))


def _matching_problem(name: str, step: Matching, student: Shape, teacher: Shape) -> str | None:
    """Why a step cannot copy the insides of its teacher as it says."""
    if step.live and not _is_float32(teacher):
        return (
            f"'{name}' copies hidden states or attention, and its teacher is {teacher.format}, {teacher.precision}. "
            "Take a float32 torch model as the teacher, or leave 'hidden' and 'attention' out."
        )
    if student.layers is None or teacher.layers is None:
        return None
    try:
        for layers in step.layer_maps:
            layer_pairs(layers, student.layers, teacher.layers)
    except ConstrictorError as error:
        return f"'{name}': {error}"
    return None


def _pruned(name: str, step: Prune, parent: Shape | None) -> Shape | str:
    if parent is None:
        return _needs_parent("prunes", name)
    if not _is_float32(parent):
        return _needs_float32("prunes", name, parent)
    if isinstance(step, Layers):
        wrong = layer_problem(step.keep, parent.layers, f"the model that '{name}' prunes")
        return wrong or parent._replace(layers=len(step.keep))
    return parent


# Which methods of quantization know which formats.
_QUANTIZABLE: dict[type[Quantize], tuple[str, ...]] = {
    Half: ("torch", "onnx"),
    Dynamic: ("torch", "onnx"),
    Static: ("torch", "onnx"),
    WeightOnly: ("onnx",),
    BitsAndBytes: ("torch",),
    QuantizationAware: ("torch",),
}


def _quantized(name: str, step: Quantize, parent: Shape | None) -> Shape | str:
    if parent is None:
        return _needs_parent("quantizes", name)
    # A model with only its embedding tables in few bits has its matrices left to round.
    goes_on = parent.precision.endswith(" embeddings") and isinstance(step, Dynamic | Static)
    if parent.precision != "fp32" and not goes_on:
        return f"'{name}' quantizes a model that is {parent.precision} already. Keep one of the two steps."
    formats = _QUANTIZABLE[type(step)]
    if parent.format not in formats or (step.method == "bf16" and parent.format != "torch"):
        fix = {"torch": "Put 'export' before it.", "onnx": "Put it before the export."}.get(parent.format, "")
        return f"'{name}' quantizes by '{step.method}', which does not know the format {parent.format}. {fix}".rstrip()
    return parent._replace(precision=_precision_after(step))


def _precision_after(step: Quantize) -> str:
    if isinstance(step, QuantizationAware):
        return "fp32"
    if isinstance(step, WeightOnly):
        return f"int{step.bits}" if step.matrices else f"int{step.bits} embeddings"
    return "int8" if isinstance(step, Dynamic | Static) else step.method


def _exported(name: str, step: Export, parent: Shape | None) -> Shape | str:
    if parent is None:
        return _needs_parent("exports", name)
    if step.format == "onnx":
        return parent._replace(format="onnx") if _is_float32(parent) else _needs_float32("exports", name, parent)
    if parent.format != "onnx":
        return f"'{name}' exports to {step.format}, which starts from an ONNX model. Put an export to ONNX before it."
    if step.format == "ort":
        return parent._replace(format="ort")
    if parent.precision != "fp32":
        return (
            f"'{name}' exports to openvino, which runs {parent.precision} ONNX models slowly. Export the float32 one."
        )
    return parent._replace(format="openvino", precision=step.precision)


def _recovery_problem(study: Study, lineage: str, shape: Shape) -> str | None:
    """Why the recovery at the end of a chain cannot be taught as its step says."""
    name = last_step(lineage)
    step = study.steps[name]
    if not isinstance(step, Recovery) or not step.finetune_epochs:
        return None
    before = steps_of(lineage)[:-1]
    if step.teacher is not None and step.teacher not in before:
        return f"the teacher '{step.teacher}' of '{name}' does not come before it. {nearest(step.teacher, before)}"
    teacher = recovery_teacher(study, lineage)
    unlabelled = [part for part in step.train_on if part in study.subsets and study.subsets[part].of in study.corpora]
    if teacher is None:
        why = (
            f"recovers on '{unlabelled[0]}', which has no labels" if unlabelled else "copies hidden states or attention"
        )
        needs = bool(unlabelled) or step.live
        return f"'{name}' {why}, and nothing teaches it. Name the teacher: 'teacher: {before[0]}'." if needs else None
    return _copying_problem(study, lineage, step, shape, teacher) if step.live else None


def _copying_problem(study: Study, lineage: str, step: Recovery, shape: Shape, teacher: str) -> str | None:
    """Why a recovery cannot copy its teacher's insides."""
    name = last_step(lineage)
    cut = [part for part in steps_of(lineage.removeprefix(f"{teacher}/")) if isinstance(study.steps[part], Vocabulary)]
    if cut:
        return (
            f"'{name}' copies hidden states or attention, and '{cut[0]}' gives it another vocabulary than its teacher's. "
            "Leave 'hidden' and 'attention' out, or name a teacher behind that step."
        )
    of_teacher = shape_of(study, teacher)
    return of_teacher if isinstance(of_teacher, str) else _matching_problem(name, step, shape, of_teacher)


def _is_float32(shape: Shape) -> bool:
    return shape.format == "torch" and shape.precision == "fp32"


def _needs_float32(verb: str, name: str, parent: Shape) -> str:
    found = f"an {parent.format} model".replace("onnx", "ONNX") if parent.format != "torch" else "a quantized model"
    return (
        f"'{name}' {verb}, and its parent is {found} ({parent.format}, {parent.precision}). "
        f"Put '{name}' before the step that exports or quantizes."
    )


def _needs_parent(verb: str, name: str) -> str:
    return f"'{name}' {verb} a model and none comes before it. Begin with a 'finetune' step: 'teacher/{name}'."
