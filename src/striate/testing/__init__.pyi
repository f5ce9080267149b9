from .conformance import RecordingConformance as RecordingConformance
from .cores import CoreTests as CoreTests
from .formats import FormatTests as FormatTests
from .losses import LossTests as LossTests
from .metrics import MetricTests as MetricTests
from .modulators import ModulatorTests as ModulatorTests
from .modulators import NonlinearityTests as NonlinearityTests
from .readouts import ReadoutTests as ReadoutTests
