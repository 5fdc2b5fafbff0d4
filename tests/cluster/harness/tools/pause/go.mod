module mediatask.test/pause

go 1.26.0
