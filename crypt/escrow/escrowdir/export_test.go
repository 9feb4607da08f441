package escrowdir

import (
	"errors"
	"os"
)

// FailSync lets every sync of d fail, or ends that.
func FailSync(d *Directory, fail bool) {
	d.sync = (*os.File).Sync
	if fail {
		d.sync = func(*os.File) error { return errors.New("I/O error") }
	}
}
