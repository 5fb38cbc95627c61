// Package trained carries the model of the knowledge base that ships with the
// program, so that a release is ready at once instead of after some seconds of
// training. It is a cache and nothing more: the model is found by the hash of all
// it was trained on, so one that does not belong is never used, and whoever
// changes the knowledge base trains anew.
//
// "make build" makes the model (bot/trained/gen) and embeds it with the build tag
// embeddict; without the tag nothing is carried.
package trained
