package telemetry

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by a release build: -ldflags "-X wensheng/internal/telemetry.version=v1.2.3".
var version string

// BuildInfo says what is running.
type BuildInfo struct {
	// Version is the release, or "dev".
	Version string `json:"version"`
	// Commit is twelve characters of the revision, with "+dirty" when the tree
	// was changed; empty when unknown.
	Commit string `json:"commit"`
	// Go is the toolchain's version.
	Go string `json:"go"`
	// Knowledge is the knowledge base's version, filled in by who knows it.
	Knowledge string `json:"knowledge,omitempty"`
}

// Build returns what the toolchain wrote into the binary.
func Build() BuildInfo {
	b := BuildInfo{Version: version, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; b.Version == "" && v != "(devel)" {
			b.Version = v
		}
		dirty := ""
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value[:min(len(s.Value), 12)]
			case "vcs.modified":
				if s.Value == "true" {
					dirty = "+dirty"
				}
			}
		}
		if b.Commit != "" {
			b.Commit += dirty
		}
	}
	// A build from a plain checkout has a pseudo-version that only repeats the commit.
	if b.Version == "" || strings.HasPrefix(b.Version, "v0.0.0-") {
		b.Version = "dev"
	}
	return b
}
