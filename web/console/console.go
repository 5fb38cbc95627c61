// Package console carries the agents' console as it was built by npm: React
// pages under dist, embedded into the binary. The sources stand beside it.
package console

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the built files, index.html at its root.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return dist // cannot happen: the embed directive names the folder
	}
	return sub
}

// Built reports whether the front end was built before the binary was.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
