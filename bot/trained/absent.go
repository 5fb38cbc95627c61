//go:build !embeddict

package trained

import "io/fs"

// Models returns nil: this program was built without the tag embeddict and
// carries no model.
func Models() fs.FS { return nil }
