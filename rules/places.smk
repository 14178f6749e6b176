# Where jobs read and write: the user's own files, and the workflow's folders.
from snakemake.exceptions import WorkflowError

from constrictor.files.writing import refuse_unwritable
from constrictor.files.clocks import clamp_future_mtimes
from constrictor.errors import ConstrictorError
from constrictor.study.sources import LocalFile, LocalModel
from constrictor.study.splits import SPLITS


def local_extra_test_set(wildcards):
    """The file on this machine that an extra test is read from, if it is read from one."""
    source = study.tasks[wildcards.name].extra_test_sets[wildcards.part]
    return [source.path] if isinstance(source, LocalFile) else []


def local_file(wildcards):
    """The file on this machine that a task or corpus is read from, if it is read from one."""
    return files_of((study.tasks.get(wildcards.name) or study.corpora[wildcards.name]).source)


def files_of(source):
    """The files on this machine that a source of data names."""
    parts = [source, *(getattr(source, split, None) for split in SPLITS)]
    return [part.path for part in parts if isinstance(part, LocalFile)]


def local_weights(wildcards):
    """The files on this machine that a checkpoint is copied from, if it is a folder here."""
    return weights_of(study.models[wildcards.name])


def weights_of(source):
    """The files on this machine that a source of models names."""
    if not isinstance(source, LocalModel):
        return []
    return sorted(str(file) for pattern in ("config.json", "*.safetensors") for file in Path(source.path).glob(pattern))


def check_folders():
    """Before the first job: the workflow's folders can be written."""
    try:
        for folder in (DATA, RESULTS, REPORTS):
            refuse_unwritable(Path(folder))
    except ConstrictorError as error:
        raise WorkflowError(str(error)) from None


def places_read():
    """Where all lies that a job may read: this workflow's folders, and the user's own files."""
    data = [file for part in (*study.tasks.values(), *study.corpora.values()) for file in files_of(part.source)]
    weights = [file for source in study.models.values() for file in weights_of(source)]
    return [Path(place) for place in (DATA, RESULTS, *data, *weights)]
