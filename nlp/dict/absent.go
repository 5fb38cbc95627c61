//go:build !embeddict

package dict

import "io/fs"

//go:generate go run ./gen

// Embedded returns nil: this program was built without the tag embeddict and
// carries no dictionary.
func Embedded() fs.FS { return nil }
