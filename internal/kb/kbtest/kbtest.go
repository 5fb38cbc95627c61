// Package kbtest has a small knowledge base for tests, and puts one in force.
package kbtest

import (
	_ "embed"
	"testing"
	"time"

	"wensheng/intents"
	"wensheng/internal/archive"
	"wensheng/internal/kb"
)

// Small is a file of two Topics, repay_early and repay_date, that is trained in a
// moment. What it lacks comes from the embedded knowledge base.
//
//go:embed small.yaml
var Small string

// File is where Publish puts its Topics, Version the id of the version it makes.
const (
	File    = "topics/a.yaml"
	Version = "v0"
)

// Publish puts a file of Topics in force, as the first version, at a moment.
func Publish(tb testing.TB, db *archive.Archive, topics string, at time.Time) {
	tb.Helper()
	files := intents.Files{File: []byte(topics)}
	base, problems := intents.Load(files.FS())
	if base == nil {
		tb.Fatal(problems)
		return
	}
	v := kb.Version{
		ID: Version, Title: "第一版", State: kb.Approved, Hash: base.Version, CreatedBy: "founder",
		CreatedAt: at.Add(-time.Hour), Revision: 1,
	}
	if err := db.CreateVersion(tb.Context(), v, kb.Files(files)); err != nil {
		tb.Fatal(err)
	}
	v.State, v.Revision, v.PublishedAt = kb.Published, 2, at
	if err := db.Publish(tb.Context(), v, 1, ""); err != nil {
		tb.Fatal(err)
	}
}
