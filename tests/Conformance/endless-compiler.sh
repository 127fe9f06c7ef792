#!/bin/sh
# Stands in for a compiler that comes to no end.
exec sleep 600
