module github.com/phimail/sdk/phimail/cmd

go 1.26

require github.com/phimail/sdk v0.0.0

replace github.com/phimail/sdk => ../..
