/* Preloaded into a Python process: counts the calls that change files below one directory and lets the
   n-th fail or end the process. Unarmed until faults_arm() is called, so a git that is started runs free. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FICLONE_REQUEST 0x40049409ul

enum { COUNT = 0, KILL = 1, TORN = 2, FAIL_ONCE = 3, FAIL_FROM = 4 };
enum { SPACE = 1, CHANGE = 2, REMOVE = 4, SYNC = 8, WRITE = 16 };

/* Shared with the parent, which reads it after the process has died. faults.py knows the layout. */
struct report {
    atomic_long count;
    atomic_long fired;
    char call[64];
    char path[1024];
    char rewritten[1024];
};

static struct report *report;
static char prefix[PATH_MAX];
static size_t prefix_length;
static long at;
static int mode;
static int error_number;
static int classes;

void faults_arm(struct report *shared, const char *below, long n, int how, int error, int which)
{
    snprintf(prefix, sizeof prefix, "%s", below);
    prefix_length = strlen(prefix);
    at = n;
    mode = how;
    error_number = error;
    classes = which;
    report = shared;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "shim: no %s\n", name);
        abort();
    }
    return found;
}

#define REAL(type, name, ...)                     \
    static type (*real)(__VA_ARGS__);             \
    if (real == NULL)                             \
        *(void **)&real = next(#name)

static int describe_fd(int fd, char *out, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, size - 1);
    if (length < 0)
        return -1;
    out[length] = 0;
    return 0;
}

static int describe(int dir_fd, const char *path, char *out, size_t size)
{
    if (path == NULL)
        return describe_fd(dir_fd, out, size);
    if (path[0] == '/') {
        snprintf(out, size, "%s", path);
        return 0;
    }
    char base[PATH_MAX];
    if (dir_fd == AT_FDCWD ? getcwd(base, sizeof base) == NULL : describe_fd(dir_fd, base, sizeof base) < 0)
        return -1;
    snprintf(out, size, "%s/%s", base, path);
    return 0;
}

static void end(void)
{
    raise(SIGKILL);
    for (;;)
        pause();
}

/* A name of 64 hexadecimal digits, perhaps with -SUFFIX, stands for bytes that never change. */
static void watch(const char *call, const char *where)
{
    struct stat there;
    const char *name = strrchr(where, '/');
    if (strncmp(call, "open", 4) != 0 && strncmp(call, "truncate", 8) != 0 && strncmp(call, "rename", 6) != 0)
        return;
    if (name == NULL || strspn(name + 1, "0123456789abcdef") != 64 || lstat(where, &there) != 0)
        return;
    snprintf(report->rewritten, sizeof report->rewritten, "%s %.900s", call, where);
}

/* 0: go on; -1: errno is set, fail; 1: half of a write, then the end. */
static int enter(const char *call, int class, int dir_fd, const char *path)
{
    int before = errno;
    char where[2 * PATH_MAX];
    if (report == NULL)
        return 0;
    if (describe(dir_fd, path, where, sizeof where) < 0 || strncmp(where, prefix, prefix_length) != 0) {
        errno = before;
        return 0;
    }
    if (path != NULL)
        watch(call, where);
    errno = before;
    if (!(class & classes))
        return 0;
    /* What exists takes no space, and the kernel says so (EEXIST) before it looks at the file system. */
    struct stat there;
    if (mode >= FAIL_ONCE && class == SPACE && path != NULL && lstat(where, &there) == 0
        && (error_number == ENOSPC || strncmp(call, "open", 4) != 0)) {
        errno = before;
        return 0;
    }
    errno = before;
    long number = atomic_fetch_add(&report->count, 1) + 1;
    int hit = mode == FAIL_FROM ? number >= at : number == at;
    if (mode == COUNT || !hit)
        return 0;
    if (atomic_fetch_add(&report->fired, 1) == 0) {
        snprintf(report->call, sizeof report->call, "%s", call);
        snprintf(report->path, sizeof report->path, "%.1000s", where);
    }
    if (mode == KILL || (mode == TORN && class != WRITE))
        end();
    if (mode == TORN)
        return 1;
    errno = error_number;
    return -1;
}

static int opens_for_change(int flags)
{
    return flags & (O_CREAT | O_TRUNC) ? SPACE : (flags & O_ACCMODE) != O_RDONLY ? CHANGE : 0;
}

#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...)                                \
    {                                                                         \
        REAL(int, name, const char *, int, mode_t);                           \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list);                                                         \
        int class = opens_for_change(flags);                                  \
        if (class && enter(#name, class, AT_FDCWD, path))                     \
            return -1;                                                        \
        return real(path, flags, bits);                                       \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                          \
    int name(int dir_fd, const char *path, int flags, ...)                    \
    {                                                                         \
        REAL(int, name, int, const char *, int, mode_t);                      \
        va_list list;                                                         \
        va_start(list, flags);                                                \
        mode_t bits = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; \
        va_end(list);                                                         \
        int class = opens_for_change(flags);                                  \
        if (class && enter(#name, class, dir_fd, path))                       \
            return -1;                                                        \
        return real(dir_fd, path, flags, bits);                               \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(ssize_t, write, int, const void *, size_t);
    int fault = enter("write", WRITE, fd, NULL);
    if (fault < 0)
        return -1;
    if (fault > 0) {
        real(fd, data, size / 2);
        end();
    }
    return real(fd, data, size);
}

#define PWRITE(name, offset_type)                                             \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset)   \
    {                                                                         \
        REAL(ssize_t, name, int, const void *, size_t, offset_type);          \
        int fault = enter(#name, WRITE, fd, NULL);                            \
        if (fault < 0)                                                        \
            return -1;                                                        \
        if (fault > 0) {                                                      \
            real(fd, data, size / 2, offset);                                 \
            end();                                                            \
        }                                                                     \
        return real(fd, data, size, offset);                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    int fault = enter("writev", WRITE, fd, NULL);
    if (fault < 0)
        return -1;
    if (fault > 0)
        end();
    return real(fd, parts, count);
}

#define CHECKED(type, name, class, dir_fd, path, parameters, arguments, ...)  \
    type name parameters                                                      \
    {                                                                         \
        REAL(type, name, __VA_ARGS__);                                        \
        if (enter(#name, class, dir_fd, path))                                \
            return -1;                                                        \
        return real arguments;                                                \
    }

CHECKED(int, rename, CHANGE, AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
CHECKED(int, renameat, CHANGE, d, b, (int c, const char *a, int d, const char *b), (c, a, d, b),
        int, const char *, int, const char *)
CHECKED(int, renameat2, CHANGE, d, b, (int c, const char *a, int d, const char *b, unsigned f), (c, a, d, b, f),
        int, const char *, int, const char *, unsigned)
CHECKED(int, link, SPACE, AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
CHECKED(int, linkat, SPACE, d, b, (int c, const char *a, int d, const char *b, int f), (c, a, d, b, f),
        int, const char *, int, const char *, int)
CHECKED(int, unlink, REMOVE, AT_FDCWD, a, (const char *a), (a), const char *)
CHECKED(int, unlinkat, REMOVE, d, a, (int d, const char *a, int f), (d, a, f), int, const char *, int)
CHECKED(int, remove, REMOVE, AT_FDCWD, a, (const char *a), (a), const char *)
CHECKED(int, mkdir, SPACE, AT_FDCWD, a, (const char *a, mode_t m), (a, m), const char *, mode_t)
CHECKED(int, mkdirat, SPACE, d, a, (int d, const char *a, mode_t m), (d, a, m), int, const char *, mode_t)
CHECKED(int, rmdir, REMOVE, AT_FDCWD, a, (const char *a), (a), const char *)
CHECKED(int, symlink, SPACE, AT_FDCWD, b, (const char *a, const char *b), (a, b), const char *, const char *)
CHECKED(int, symlinkat, SPACE, d, b, (const char *a, int d, const char *b), (a, d, b),
        const char *, int, const char *)
CHECKED(int, truncate, CHANGE, AT_FDCWD, a, (const char *a, off_t n), (a, n), const char *, off_t)
CHECKED(int, truncate64, CHANGE, AT_FDCWD, a, (const char *a, off64_t n), (a, n), const char *, off64_t)
CHECKED(int, ftruncate, CHANGE, fd, NULL, (int fd, off_t n), (fd, n), int, off_t)
CHECKED(int, ftruncate64, CHANGE, fd, NULL, (int fd, off64_t n), (fd, n), int, off64_t)
CHECKED(int, fallocate, SPACE, fd, NULL, (int fd, int m, off_t o, off_t n), (fd, m, o, n), int, int, off_t, off_t)
CHECKED(int, fallocate64, SPACE, fd, NULL, (int fd, int m, off64_t o, off64_t n), (fd, m, o, n),
        int, int, off64_t, off64_t)
CHECKED(int, fsync, SYNC, fd, NULL, (int fd), (fd), int)
CHECKED(int, fdatasync, SYNC, fd, NULL, (int fd), (fd), int)
CHECKED(int, chmod, CHANGE, AT_FDCWD, a, (const char *a, mode_t m), (a, m), const char *, mode_t)
CHECKED(int, fchmod, CHANGE, fd, NULL, (int fd, mode_t m), (fd, m), int, mode_t)
CHECKED(int, fchmodat, CHANGE, d, a, (int d, const char *a, mode_t m, int f), (d, a, m, f),
        int, const char *, mode_t, int)
CHECKED(int, utimensat, CHANGE, d, a, (int d, const char *a, const struct timespec t[2], int f), (d, a, t, f),
        int, const char *, const struct timespec *, int)
CHECKED(int, futimens, CHANGE, fd, NULL, (int fd, const struct timespec t[2]), (fd, t),
        int, const struct timespec *)
CHECKED(ssize_t, copy_file_range, SPACE, b, NULL, (int a, off64_t *o, int b, off64_t *p, size_t n, unsigned f),
        (a, o, b, p, n, f), int, off64_t *, int, off64_t *, size_t, unsigned)
CHECKED(ssize_t, sendfile, SPACE, b, NULL, (int b, int a, off_t *o, size_t n), (b, a, o, n),
        int, int, off_t *, size_t)
CHECKED(ssize_t, sendfile64, SPACE, b, NULL, (int b, int a, off64_t *o, size_t n), (b, a, o, n),
        int, int, off64_t *, size_t)

int ioctl(int fd, unsigned long request, ...)
{
    REAL(int, ioctl, int, unsigned long, void *);
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (request == FICLONE_REQUEST && enter("ioctl(FICLONE)", SPACE, fd, NULL))
        return -1;
    return real(fd, request, argument);
}

long syscall(long number, ...)
{
    REAL(long, syscall, long, long, long, long, long, long, long);
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_renameat2 && enter("syscall(renameat2)", CHANGE, (int)a[2], (const char *)a[3]))
        return -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
