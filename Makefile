# Two commands are all a newcomer needs: make run, make test.
# The rest: check, bench, build, fuzz, clean.

SHELL := /bin/bash
GO    ?= go
BIN   := bin/wensheng
TOOLS := $(CURDIR)/.tools
LISTEN ?= 127.0.0.1:8080
DATA   ?= ./data

# Empty where this is no checkout; the program says "dev" then.
VERSION = $(shell git describe --always --dirty 2>/dev/null)
# A path where the compiler has the library, a bare name where it has not.
STDCXX = $(shell $$($(GO) env CXX) -print-file-name=libstdc++.a 2>/dev/null)
LDFLAGS = -X wensheng/internal/telemetry.version=$(VERSION) \
	$(if $(findstring /,$(STDCXX)),-extldflags '-static-libstdc++ -static-libgcc')

# Where the distribution's Node is too old, .ci/setup puts a newer one here.
export PATH := $(TOOLS)/node/node_modules/.bin:$(PATH)

# npm's own progress and advice would bury what matters.
NPM_CI := npm ci --no-audit --no-fund --loglevel=error

.PHONY: run test check bench build fuzz clean frontends setup-run setup-test

run: setup-run build
	./$(BIN) serve --listen $(LISTEN) --data $(DATA)

# What comes out needs nothing of this machine but its kind: the segmenter's
# dictionary is inside, and so is the C++ library where a static one is at hand.
build: frontends bot/trained/models/.made
	$(GO) build -tags embeddict -trimpath -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/wensheng

# The shipped knowledge base, trained: once for the program, which is then ready
# at once, and once for the tests, whose race detector makes training slow.
TAUGHT = $(shell find intents nlp bot -name '*.go' -not -name '*_test.go' 2>/dev/null) $(shell find intents/knowledge -type f 2>/dev/null)

bot/trained/models/.made: go.mod nlp/dict/jieba.dict.utf8.gz $(TAUGHT)
	@echo "teaching the bot its knowledge base"
	$(GO) run -tags embeddict ./bot/trained/gen bot/trained/models
	@touch $@

$(TOOLS)/models/.made: go.mod $(TAUGHT)
	@mkdir -p $(@D)
	$(GO) run ./bot/trained/gen $(@D)
	@touch $@

nlp/dict/jieba.dict.utf8.gz: go.mod nlp/dict/dict.go nlp/dict/gen/main.go
	$(GO) run ./nlp/dict/gen

# Everything, with the race detector, on real Redis, PostgreSQL and Chromium.
test: setup-test frontends $(TOOLS)/models/.made
	cd web/widget && npm test --silent
	cd web/console && npm test --silent
	CI=$(CI) TEST_MODELS=$(TOOLS)/models $(GO) test -race -shuffle=on -timeout 20m ./...
	@# What a socket holds, which the race detector's shadow would hide, and what
	@# the measuring sets say, which it makes too slow.
	CI=$(CI) TEST_MODELS=$(TOOLS)/models $(GO) test -run 'TestIdleSockets|MeasuringSets' ./channels/web ./bot ./nlp

check: setup-run $(TOOLS)/golangci-lint $(TOOLS)/govulncheck frontends
	$(TOOLS)/golangci-lint fmt --diff
	$(TOOLS)/golangci-lint run
	$(GO) test ./internal/archtest ./internal/config
	$(GO) mod verify
	.ci/vulnerabilities $(TOOLS)/govulncheck

# Turns a second and latency, beside the ceiling of the same two scripts called
# bare, in one run. See docs/performance.md.
bench: setup-run frontends
	$(GO) test -run '^$$' -bench Turns -benchtime 12000x ./internal/app
	$(GO) test -run '^$$' -bench 'Start|IdleVisitors' -benchtime 3x ./internal/app

fuzz:
	.ci/fuzz 10s

frontends: web/widget/dist/widget.js web/console/dist/index.html

web/widget/dist/widget.js: $(shell find web/widget -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	cd web/widget && $(NPM_CI) && npm run build --silent
	@touch $@

web/console/dist/index.html: $(shell find web/console -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	cd web/console && $(NPM_CI) && npm run build --silent
	@touch $@

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

# Linters are built from source at the pinned version, once.
$(TOOLS)/golangci-lint: .ci/golangci-lint-version
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$$(cat $<)
	@touch $@

$(TOOLS)/govulncheck: .ci/govulncheck-version
	GOBIN=$(TOOLS) $(GO) install golang.org/x/vuln/cmd/govulncheck@$$(cat $<)
	@touch $@

clean:
	rm -rf bin nlp/dict/*.gz bot/trained/models/*.bin bot/trained/models/.made $(TOOLS)/models web/widget/node_modules web/console/node_modules
	find web/widget/dist web/console/dist -mindepth 1 -not -name .keep -delete
