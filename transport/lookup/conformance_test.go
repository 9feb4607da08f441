package lookup_test

import (
	"testing"
	"time"

	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/lookup"
	"github.com/phimail/sdk/transport/transporttest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	transporttest.RunResolver(t, func(addr string) (transport.Resolver, error) {
		return lookup.New(lookup.Config{Servers: []string{addr}, Timeout: 4 * time.Second})
	})
}
