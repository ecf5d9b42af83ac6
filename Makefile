# make demo    the whole story on this machine: train, judge, serve, refuse (KEEP=1 leaves it running)
# make demo-gate  five bad candidates, each refused for its own reason, while the good one serves
# make test    the whole test suite (FILTER=Gate for the tests whose names match)
# make simulate  the operator in a simulated cluster, with the faults of many seeds (SEEDS=2000)
# make bench   measurements, to Benchmarks/results.json (ONLY=name,… for some, RUNS=5 rounds)
# make image   the operator's image, to build/ (as root); make image-check tries it
# make docs    the documentation of ControllerRuntime, to build/docs, from what was built last
# make fuzz    searches for input that breaks a reader (SECONDS=60 for each; ONLY=json,… for some)
# make sanitize-address, sanitize-thread    the suite without its stories under a sanitizer (FILTER as above)
# make fmt     puts the sources into the project's style
# make lint    fails where the style or a rule of the house is broken
.PHONY: demo demo-gate test simulate bench image image-check docs fuzz sanitize-address sanitize-thread fmt lint kubernetes \
	crd-server s3-server prerequisites test-prerequisites bench-prerequisites

demo: prerequisites
	swift build --product assay
	scripts/demo

demo-gate: prerequisites
	swift build --product assay
	scripts/demo-gate

# The end-to-end tests start the `assay` program that is built beside them. The stories run on a Kubernetes API server too,
# which is built from Debian's source the first time (KUBEBUILDER_ASSETS names another).
test: test-prerequisites lint kubernetes crd-server s3-server
	swift build --build-tests
	scripts/test '$(FILTER)'

# SEEDS=1000 stands for 0..<1000.
simulate: prerequisites
	swift build --configuration release --product simulate
	.build/release/simulate --seeds '$(if $(SEEDS),$(if $(findstring <,$(SEEDS)),$(SEEDS),0..<$(SEEDS)),0..<2000)'

bench: bench-prerequisites kubernetes
	swift build --configuration release --static-swift-stdlib --product assay
	Benchmarks/run $(if $(ONLY),--only $(ONLY))

# ASSAY names a program that was built already.
image: prerequisites
	$(if $(ASSAY),,swift build --configuration release --static-swift-stdlib --product assay)
	scripts/image

image-check:
	scripts/image-check

comma := ,
SECONDS ?= 60
fuzz: prerequisites
	scripts/fuzz $(SECONDS) $(subst $(comma), ,$(ONLY))

sanitize-address sanitize-thread: sanitize-%: prerequisites s3-server
	scripts/sanitize $* '$(FILTER)'

fmt:
	swift format --in-place --recursive --parallel Package.swift Sources Tests examples

lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests examples
	scripts/check-rules

kubernetes:
	@scripts/kubernetes

# Debian unstable may have days on which it cannot be built; only the tests that are named by the line below need it.
crd-server:
	@scripts/crd-server || echo "*** THE RULES OF THE CRDS ARE NOT TESTED ON A SERVER WITH CEL ***" >&2

s3-server:
	@scripts/s3-server

prerequisites:
	@scripts/prerequisites

test-prerequisites:
	@scripts/prerequisites tests

bench-prerequisites:
	@scripts/prerequisites bench

# Of what was built last.
docs:
	scripts/docs
