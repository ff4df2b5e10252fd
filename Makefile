## Puts African-language NER on the devices people have. Each target is one `python -m toolkit` command.
##
##   make bundle LANG=swa TARGET=cpu     teacher to verified bundle; sets itself up the first time
##   make verify BUNDLE=build/swa-cpu-edge    prove that a bundle is whole and answers as it did
##   make profile BUNDLE=build/swa-cpu-edge   measure a bundle on this machine
##   make profile BUNDLE=build/swa-rpi4-edge HOST=pi@raspberrypi.local   measure it on a Raspberry Pi over ssh
##   make emulate BUNDLE=build/swa-rpi4-edge  prove without a Pi that its processors give the same answers
##   make calibrate-device NAME=my-pi HOST=pi@raspberrypi.local   a device profile of your own, from measurement
##   make profile BUNDLE=build/swa-web-edge FILE=phone.json   take over what the web app measured on a phone
##   make app LANG=swa                   web app for phones: builds OUT/app and serves it; LANG="swa yor": both
##   make push BUNDLE=build/swa-cpu-edge REPO=you/swa-names   put a bundle on the hub with its model card
##   make report                         write the report pages of all runs in OUT again
##   make setup                          only install (TARGET=gpu: with CUDA)
##   make test | lint                    the project's own checks
##   make clean                          delete stored stages and say what that frees
##
## Variables
##   LANG     language, ISO 639-3; only as an argument of make, never from the environment
##   TARGET   device, or a device profile of your own (.toml); app: default web
##   RECIPE   what is done to the teacher; default edge; or your own (.toml)
##   TEACHER  AfriBERTa-style model: hub id, folder, builtin; default auto
##   DATA     tagged sentences: hub id, folder of CoNLL files, builtin; default auto
##   CORPUS   unlabelled text: hub id, folder, builtin; default auto
##            auto: the folder in AFRIBERTA_DIR, MASAKHANER_DIR, CORPUS_DIR, else the hub, else the built-in pair
##   SEED     of every random draw; default 1
##   OUT      folder for bundles and reports; default build
##   BUNDLE   a bundle's folder or zip; app: one or several, instead of LANG
##   HOST     device to measure on, an ssh destination; only as an argument of make; left out: this machine
##   NAME     of the device profile that calibrate-device writes; only as an argument of make
##   SUSTAINED=10  profile: then work so many minutes without a pause, to see the device throttle
##   QUICK=1  profile: a tenth of everything, to see that it works
##   FILE     profile: a measurement that the web app exported; only as an argument of make
##   PORT     app: to serve on; default 8000
##   SERVE=0  app: only build the folder
##   REPO     push: repository on the hub, OWNER/NAME; only as an argument of make
##   PUBLIC=1 push: a new repository is seen by everyone; only as an argument of make
##   YES=1    do not ask before a run of more than 30 minutes
##   STRICT=1 fail also when a budget is undecided
##   PYTHON   Python 3.11, 3.12 or 3.13; default python3
##
## Examples
##   make bundle LANG=yor TARGET=rpi4 RECIPE=trim-int8
##   make bundle LANG=swa TARGET=cpu TEACHER=builtin DATA=builtin      the quick trial, no network
##   make bundle LANG=hau TARGET=cpu TEACHER=castorini/afriberta_base DATA=masakhane/masakhaner YES=1
##
## make exits with 2 whenever a command fails: for bad input, and for a verdict that failed, which is printed.

# For GNU Make 3.81 and later, which is what macOS has.

PYTHON = python3
# PyTorch's own CPU builds: the package index's build for Linux brings gigabytes of CUDA. Empty: not asked.
TORCH_CPU_INDEX = https://download.pytorch.org/whl/cpu

# LANG is also the locale. Only a LANG on the command line names a language, and no child process sees it: neither
# as a variable of its own nor through MAKEFLAGS, by which a make below this one would take it up. HOST and NAME are
# environment variables of some shells and systems too, FILE and REPO of build servers; and nothing is made public
# because a variable was left in the environment.
argument = $(if $(findstring command line,$(origin $(1))),$(value $(1)))
lang := $(call argument,LANG)
host := $(call argument,HOST)
name := $(call argument,NAME)
record := $(call argument,FILE)
repo := $(call argument,REPO)
public := $(call argument,PUBLIC)
unexport LANG TARGET RECIPE TEACHER DATA CORPUS SEED OUT BUNDLE YES STRICT HOST NAME SUSTAINED QUICK PYTHON \
  TORCH_CPU_INDEX FILE REPO PUBLIC PORT SERVE
MAKEOVERRIDES =

# $(call quoted,text): one word for the shell, whatever is in it. $(call option,name,VARIABLE): --name 'value' if set.
quoted = '$(subst ','\'',$(1))'
option = $(if $(value $(2)),--$(1) $(call quoted,$(value $(2))))
flag = $(if $(filter-out 0 no false,$(value $(2))),--$(1))
at = $(if $(host),--host=$(call quoted,$(host)))
off = $(filter 0 no false,$(value $(1)))

venv := .venv
python := $(venv)/bin/python
toolkit := $(python) -m toolkit
# Before the environment is there, Python alone does for what needs no packages.
bare = $(if $(wildcard $(python)),$(python),$(call quoted,$(value PYTHON))) -m toolkit
chosen = --lang $(call quoted,$(lang)) --target $(call quoted,$(value TARGET)) $(call option,recipe,RECIPE)
sources = $(call option,teacher,TEACHER) $(call option,data,DATA) $(call option,corpus,CORPUS)
# The app takes several languages or bundles, and none of either is answered by the command.
app_line = --target $(call quoted,$(or $(value TARGET),web)) $(call option,recipe,RECIPE)
app_langs = $(foreach code,$(lang),--lang $(call quoted,$(code)))
app_bundles = $(foreach path,$(value BUNDLE),$(call quoted,$(path)))
# What toolkit/environment.py notes in .venv about what is installed.
pipeline := $(venv)/.$(if $(filter gpu,$(TARGET)),gpu,pipeline)
# Whatever asks the hub by mistake meets a closed door; as many processes as processors, with one thread each.
alone = HF_ENDPOINT=http://127.0.0.1:9 OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup bundle profile emulate calibrate-device app push verify report test lint clean choices app-choices
.NOTPARALLEL:
.SUFFIXES:

help:
	@sed -n 's/^## \{0,1\}//p' Makefile
	@$(bare) choices || true

setup: $(pipeline)

# Mistakes are told before anything is installed.
choices:
	@$(bare) choices $(chosen)

bundle: choices $(pipeline)
	@$(toolkit) bundle $(chosen) $(sources) $(call option,seed,SEED) $(call option,out,OUT) \
	  $(call flag,yes,YES) $(call flag,strict,STRICT)

verify: $(venv)/.runtime
	@$(toolkit) verify -- $(call quoted,$(value BUNDLE))

profile: $(venv)/.runtime
	@$(toolkit) profile $(at) $(call option,sustained,SUSTAINED) $(call flag,quick,QUICK) \
	  $(if $(record),--file=$(call quoted,$(record))) -- $(call quoted,$(value BUNDLE))

emulate: $(venv)/.runtime
	@$(toolkit) emulate $(call option,data,DATA) $(if $(lang),--lang $(call quoted,$(lang))) -- $(call quoted,$(value BUNDLE))

calibrate-device: $(venv)/.calibration
	@$(toolkit) calibrate-device $(at) -- $(call quoted,$(name))

app-choices:
	@$(foreach code,$(lang),$(bare) choices --lang $(call quoted,$(code)) $(app_line) &&) true

app: app-choices $(if $(lang),$(pipeline),$(venv)/.runtime)
	@$(toolkit) app $(if $(lang),$(app_langs) $(app_line) $(sources) $(call option,seed,SEED) $(call flag,yes,YES)) \
	  $(call option,out,OUT) $(call option,port,PORT) $(if $(call off,SERVE),--no-serve) -- $(app_bundles)

push: $(venv)/.hub
	@$(toolkit) push --repo=$(call quoted,$(repo)) $(if $(filter-out 0 no false,$(public)),--public) \
	  -- $(call quoted,$(value BUNDLE))

report: $(pipeline)
	@$(toolkit) report $(call option,out,OUT)

test: $(venv)/.dev
	@$(alone) $(python) -m pytest -n logical --maxprocesses 4 --dist loadgroup \
	  --cov --cov-report=term:skip-covered --cov-fail-under=90

lint: $(venv)/.dev
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy

clean:
	@$(bare) clean

$(venv)/.runtime $(venv)/.calibration $(venv)/.hub $(venv)/.pipeline $(venv)/.gpu $(venv)/.dev: pyproject.toml
	@command -v $(call quoted,$(value PYTHON)) > /dev/null || \
	  { echo "error: there is no $(PYTHON); install Python 3.11, 3.12 or 3.13, or name one: PYTHON=python3.12" >&2; exit 2; }
	@$(call quoted,$(value PYTHON)) -m toolkit setup --packages $(subst gpu,pipeline,$(@:$(venv)/.%=%)) \
	  --target $(if $(filter %.gpu,$@),gpu,cpu) --torch-index $(call quoted,$(value TORCH_CPU_INDEX))
