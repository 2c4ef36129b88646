# Everything that is done to this repository, by name. CONTRIBUTING.md says when
# to use which; .ci/run does all of it on a clean machine.

GO       ?= go
FUZZTIME ?= 10s

# Where processes run that need root: through sudo, unless we are root already
# or there is no sudo, in which case plsim makes a user namespace of its own.
SUDO := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))

# The packages whose tests need no privilege, for the race detector.
UNPRIVILEGED := ./dataplane/... ./topology ./sim ./sim/scenario/... ./sim/story ./sim/live ./sim/simulate/... ./sim/replay ./sim/traffic ./sim/service

# Scripts whose labs live in processes of their own, where the race detector ends a lab in
# which it finds something.
STAYING := TestScripts/^(capture|captures|edits|flows|top)$$

# The linter stands outside go.mod: its dependencies are not ours.
LINT_VERSION := v2.15.0
LINT         := bin/golangci-lint-$(LINT_VERSION)

# The benchmarks whose profile make pgo builds with, beside those of the simulation.
HOT_WALK := Walk/family=./proto=.../proxy=none/flows=1e4/packet=(hit|miss)

# Where make install puts what. Packagers set DESTDIR.
PREFIX ?= /usr/local
SHARE  := $(DESTDIR)$(PREFIX)/share
PLSIM  ?= ./plsim

.PHONY: all build install uninstall quickstart conformance test priv race fuzz bench bench-peers bench-floors pgo lint check schema clean
all: build

build: ## ./plsim
	$(GO) build -trimpath -o plsim ./cmd/plsim

install: build ## plsim, its man pages and completions, below PREFIX
	install -D -m 755 $(PLSIM) $(DESTDIR)$(PREFIX)/bin/plsim
	$(PLSIM) man $(SHARE)/man/man1
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(PLSIM) completion bash > $(SHARE)/bash-completion/completions/plsim
	$(PLSIM) completion zsh > $(SHARE)/zsh/site-functions/_plsim
	$(PLSIM) completion fish > $(SHARE)/fish/vendor_completions.d/plsim.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/plsim $(SHARE)/man/man1/plsim.1 $(SHARE)/man/man1/plsim-*.1 \
		$(SHARE)/bash-completion/completions/plsim $(SHARE)/zsh/site-functions/_plsim \
		$(SHARE)/fish/vendor_completions.d/plsim.fish

quickstart: build ## a request over PrivateLink, end to end
	$(SUDO) ./plsim run scenarios/quickstart.yaml

conformance: build ## one behaviour of AWS after the other
	$(SUDO) ./plsim run scenarios/conformance

test: ## every test; those that need privilege say so and skip where there is none
	$(GO) test ./...

priv: ## every test as root; one that lacks a privilege fails instead of skipping
	PLSIM_PRIVILEGED=require $(GO) test -count=1 $(if $(SUDO),-exec '$(SUDO) -E') ./...

race: ## the race detector over what needs no privilege, and over some labs that stay
	$(GO) test -race -short $(UNPRIVILEGED)
	$(GO) test -race -short -run TestSimulated ./cmd/plsim
	GORACE=halt_on_error=1 $(GO) test -race -run '$(STAYING)' ./cmd/plsim

fuzz: ## each fuzz test for FUZZTIME
	@for package in $$($(GO) list ./...); do \
		for test in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$test"; \
			$(GO) test -run '^$$' -fuzz "^$$test$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench: ## each benchmark ten times, as benchstat wants them
	$(GO) test -run '^$$' -bench . -count 10 ./...

bench-peers: build ## the live path beside the kernel's own NAT and proxies; BENCH=FLAGS of plsim bench
	$(SUDO) ./plsim bench $(BENCH)

bench-floors: build ## everything that has a floor, and how it stands, in minutes; FLOORS="-floors.json FILE" writes it, too
	$(GO) test -c -o bin/bench.test ./bench
	cd bench && $(SUDO) ../bin/bench.test -test.run '^TestEveryFloor$$' -test.timeout 30m -floors -plsim ../plsim $(FLOORS)

pgo: ## ./plsim, built for what the benchmarks do most; takes a few minutes
	$(GO) test -run '^$$' -bench '$(HOT_WALK)' -cpuprofile bin/walk.pprof -o bin/bench.test ./bench
	bin/bench.test -test.run '^$$' -test.bench 'Simulate/traffic=(echo|connections)' -test.cpuprofile bin/simulate.pprof
	$(GO) tool pprof -proto bin/walk.pprof bin/simulate.pprof > bin/plsim.pprof
	$(GO) build -pgo bin/plsim.pprof -trimpath -o plsim ./cmd/plsim

lint: $(LINT) ## formatting, vet and the linters
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(LINT) config verify
	$(LINT) run ./...

$(LINT):
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

schema: ## the JSON schema that editors read, and docs/scenario-reference.md
	$(GO) generate ./sim/scenario

check: build lint test ## what to run before a commit

clean:
	rm -rf plsim bin
