.PHONY: help test race lint fuzz sim witness bench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST)

test: ## all tests
	go test ./...

race: ## the tests in short runs, with the race detector and in random order
	.ci/run race

lint: ## gofmt, go vet, staticcheck
	.ci/run lint

fuzz: ## short fuzz runs
	.ci/run fuzz

sim: ## whole worlds from fresh seeds, and some planted bugs that they have to find
	.ci/run sim

witness: ## a process that is killed again and again, watched from outside
	.ci/run witness

bench: ## clew on this disk, beside what the disk can do
	go run ./cmd/clew bench noop --n 50000 --in-flight 1000
