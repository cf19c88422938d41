/* Stands between the desk and the C library, and writes down every name of a call that could reach another machine,
   and of those by which it listens, as the proof that it stands there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(const char *name) {
    const char *path = getenv("VIGIE_CALLS");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (file < 0) return;
    if (write(file, name, strlen(name)) < 0 || write(file, "\n", 1) < 0) abort();
    close(file);
}

static int internet(const struct sockaddr *to) { return to && to->sa_family != AF_UNIX; }

int connect(int fd, const struct sockaddr *to, socklen_t length) {
    if (internet(to)) tell("connect");
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    return real(fd, to, length);
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t length) {
    if (internet(to)) tell("sendto");
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    return real(fd, bytes, n, flags, to, length);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    tell("getaddrinfo");
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, found);
}

int listen(int fd, int backlog) {
    tell("listen");
    int (*real)(int, int) = dlsym(RTLD_NEXT, "listen");
    return real(fd, backlog);
}
