// Package widget carries the visitors' chat widget as it was built by npm:
// widget.js and the demo page under dist, embedded into the binary. The
// sources stand beside it.
package widget

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the built files: widget.js at its root, the demo page's files
// under demo/.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return dist // cannot happen: the embed directive names the folder
	}
	return sub
}

// Built reports whether the widget was built before the binary was.
func Built() bool {
	_, err := fs.Stat(dist, "dist/widget.js")
	return err == nil
}
