//go:build embeddict

package trained

import (
	"embed"
	"io/fs"
)

//go:embed all:models
var carried embed.FS

// Models returns the models this program carries.
func Models() fs.FS {
	sub, err := fs.Sub(carried, "models")
	if err != nil {
		return nil // cannot happen: the name is a valid path
	}
	return sub
}
