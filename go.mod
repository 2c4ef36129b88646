module github.com/plsim/plsim

go 1.26
