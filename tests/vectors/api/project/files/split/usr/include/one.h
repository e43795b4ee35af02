usr/include/one.h
