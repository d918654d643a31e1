/* Preloaded into a Python process: counts the calls that change files below one directory and lets the
   n-th fail or end the process. Unarmed until faults_arm() is called, so a git that is started runs free.
   After faults_log() every change that was made is written down, in order: see power.py, which reads it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
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
enum { SPACE = 1, CHANGE = 2, REMOVE = 4, SYNC = 8, WRITE = 16, OPENS = 32 };

/* Shared with the parent, which reads it after the process has died. forkserver.py knows the layout. */
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

/* One change: then follow the bytes of `a` and of `b`. power.py knows the layout. */
struct change {
    char call[24];
    unsigned long inode;
    long number;
    unsigned a_size;
    unsigned b_size;
};

static int log_fd = -1;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void faults_log(int fd)
{
    log_fd = fd;
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

static int is_below(const char *where)
{
    return strncmp(where, prefix, prefix_length) == 0;
}

/* Calls that change something are made one at a time while they are written down. */
static void begin(void)
{
    if (log_fd >= 0)
        pthread_mutex_lock(&one_at_a_time);
}

static void done(void)
{
    if (log_fd >= 0)
        pthread_mutex_unlock(&one_at_a_time);
}

static void put(const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL)
        *(void **)&real = next("write");
    const char *at_byte = data;
    while (size) {
        ssize_t written = real(log_fd, at_byte, size);
        if (written < 0)
            abort();
        at_byte += written;
        size -= written;
    }
}

static void note(const char *call, unsigned long inode, long number, const void *a, size_t a_size, const void *b,
                 size_t b_size)
{
    struct change change = {.inode = inode, .number = number, .a_size = a_size, .b_size = b_size};
    snprintf(change.call, sizeof change.call, "%s", call);
    put(&change, sizeof change);
    put(a, a_size);
    put(b, b_size);
}

static void note_paths(const char *call, int a_fd, const char *a, int b_fd, const char *b, long number)
{
    int before = errno;
    char first[2 * PATH_MAX] = "", second[2 * PATH_MAX] = "";
    struct stat there = {0};
    if (log_fd >= 0 && (a == NULL || describe(a_fd, a, first, sizeof first) == 0)
        && describe(b_fd, b, second, sizeof second) == 0 && is_below(second)) {
        lstat(second, &there);
        if (number < 0)
            number = there.st_mode & 07777;
        note(call, there.st_ino, number, first, strlen(first), second, strlen(second));
    }
    errno = before;
}

static void note_text(const char *call, const char *text, int fd, const char *path)
{
    int before = errno;
    char where[2 * PATH_MAX];
    struct stat there = {0};
    if (log_fd >= 0 && describe(fd, path, where, sizeof where) == 0 && is_below(where)) {
        lstat(where, &there);
        note(call, there.st_ino, 0, text, strlen(text), where, strlen(where));
    }
    errno = before;
}

static void note_fd(const char *call, int fd, long number, const void *data, size_t size)
{
    int before = errno;
    char where[2 * PATH_MAX];
    struct stat there;
    if (log_fd >= 0 && describe_fd(fd, where, sizeof where) == 0 && is_below(where) && fstat(fd, &there) == 0)
        note(call, there.st_ino, number, data, size, where, strlen(where));
    errno = before;
}

static void note_write(int fd, const void *data, ssize_t size)
{
    note_fd("data", fd, lseek(fd, 0, SEEK_CUR) - size, data, size);
}

static int quiet_open(const char *path)
{
    REAL(int, open, const char *, int, ...);
    return real(path, O_RDONLY | O_CLOEXEC);
}

/* The kernel moved bytes that never were in this process: all of the file is read. */
static void note_whole(int fd)
{
    int before = errno;
    static char bytes[1 << 20];
    char link[64];
    struct stat there;
    if (log_fd < 0 || fstat(fd, &there) < 0)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = quiet_open(link);
    note_fd("size", fd, 0, "", 0);
    for (off_t start = 0; again >= 0;) {
        ssize_t size = pread(again, bytes, sizeof bytes, start);
        if (size <= 0)
            break;
        note_fd("data", fd, start, bytes, size);
        start += size;
    }
    close(again);
    errno = before;
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
    if (describe(dir_fd, path, where, sizeof where) < 0 || !is_below(where)) {
        errno = before;
        return 0;
    }
    if (path != NULL && class != OPENS)
        watch(call, where);
    errno = before;
    if (!(class & classes))
        return 0;
    /* What exists takes no space, and the kernel says so (EEXIST) before it looks at the file system. */
    struct stat there;
    if (mode >= FAIL_ONCE && (class & SPACE) && path != NULL && lstat(where, &there) == 0
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
    return OPENS | (flags & (O_CREAT | O_TRUNC) ? SPACE : (flags & O_ACCMODE) != O_RDONLY ? CHANGE : 0);
}

static int stands(int dir_fd, const char *path)
{
    struct stat there;
    return log_fd >= 0 && fstatat(dir_fd, path, &there, AT_SYMLINK_NOFOLLOW) == 0;
}

static void note_open(int fd, int flags, int stood, int dir_fd, const char *path)
{
    if (fd < 0 || log_fd < 0)
        return;
    if (flags & O_CREAT && !stood)
        note_paths("create", 0, NULL, dir_fd, path, -1);
    else if (flags & O_TRUNC)
        note_fd("size", fd, 0, "", 0);
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
        if (enter(#name, class, AT_FDCWD, path))                                   \
            return -1;                                                        \
        begin();                                                              \
        int stood = stands(AT_FDCWD, path);                                        \
        int fd = real(path, flags, bits);                                                      \
        note_open(fd, flags, stood, AT_FDCWD, path);                               \
        done();                                                               \
        return fd;                                                            \
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
        if (enter(#name, class, dir_fd, path))                                   \
            return -1;                                                        \
        begin();                                                              \
        int stood = stands(dir_fd, path);                                        \
        int fd = real(dir_fd, path, flags, bits);                                                      \
        note_open(fd, flags, stood, dir_fd, path);                               \
        done();                                                               \
        return fd;                                                            \
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
    begin();
    ssize_t written = real(fd, data, size);
    if (written > 0)
        note_write(fd, data, written);
    done();
    return written;
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
        begin();                                                              \
        ssize_t written = real(fd, data, size, offset);                       \
        if (written > 0)                                                      \
            note_fd("data", fd, offset, data, written);                       \
        done();                                                               \
        return written;                                                       \
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
    begin();
    ssize_t written = real(fd, parts, count);
    if (written > 0)
        note_whole(fd);
    done();
    return written;
}

#define CHECKED(type, name, class, dir_fd, path, record, parameters, arguments, ...) \
    type name parameters                                                      \
    {                                                                         \
        REAL(type, name, __VA_ARGS__);                                        \
        if (enter(#name, class, dir_fd, path))                                \
            return -1;                                                        \
        begin();                                                              \
        type result = real arguments;                                         \
        if (result >= 0)                                                      \
            record;                                                           \
        done();                                                               \
        return result;                                                        \
    }

#define HERE AT_FDCWD
#define RENAMED(c, a, d, b, f) note_paths("rename", c, a, d, b, f)
#define LINKED(c, a, d, b) note_paths("link", c, a, d, b, 0)
#define GONE(d, a) note_paths("unlink", 0, NULL, d, a, 0)
#define MADE(d, a) note_paths("mkdir", 0, NULL, d, a, 0)
#define SIZED(fd, n) note_fd("size", fd, n, "", 0)
#define SYNCED(fd) note_fd("sync", fd, 0, "", 0)

CHECKED(int, rename, CHANGE, HERE, b, RENAMED(HERE, a, HERE, b, 0), (const char *a, const char *b), (a, b),
        const char *, const char *)
CHECKED(int, renameat, CHANGE, d, b, RENAMED(c, a, d, b, 0), (int c, const char *a, int d, const char *b),
        (c, a, d, b), int, const char *, int, const char *)
CHECKED(int, renameat2, CHANGE, d, b, RENAMED(c, a, d, b, f), (int c, const char *a, int d, const char *b, unsigned f),
        (c, a, d, b, f), int, const char *, int, const char *, unsigned)
CHECKED(int, link, SPACE, HERE, b, LINKED(HERE, a, HERE, b), (const char *a, const char *b), (a, b),
        const char *, const char *)
CHECKED(int, linkat, SPACE, d, b, LINKED(c, a, d, b), (int c, const char *a, int d, const char *b, int f),
        (c, a, d, b, f), int, const char *, int, const char *, int)
CHECKED(int, unlink, REMOVE, HERE, a, GONE(HERE, a), (const char *a), (a), const char *)
CHECKED(int, unlinkat, REMOVE, d, a, GONE(d, a), (int d, const char *a, int f), (d, a, f), int, const char *, int)
CHECKED(int, remove, REMOVE, HERE, a, GONE(HERE, a), (const char *a), (a), const char *)
CHECKED(int, mkdir, SPACE, HERE, a, MADE(HERE, a), (const char *a, mode_t m), (a, m), const char *, mode_t)
CHECKED(int, mkdirat, SPACE, d, a, MADE(d, a), (int d, const char *a, mode_t m), (d, a, m), int, const char *, mode_t)
CHECKED(int, rmdir, REMOVE, HERE, a, GONE(HERE, a), (const char *a), (a), const char *)
CHECKED(int, symlink, SPACE, HERE, b, note_text("symlink", a, HERE, b), (const char *a, const char *b), (a, b),
        const char *, const char *)
CHECKED(int, symlinkat, SPACE, d, b, note_text("symlink", a, d, b), (const char *a, int d, const char *b), (a, d, b),
        const char *, int, const char *)
CHECKED(int, truncate, CHANGE, HERE, a, note_paths("size", 0, NULL, HERE, a, n), (const char *a, off_t n), (a, n),
        const char *, off_t)
CHECKED(int, truncate64, CHANGE, HERE, a, note_paths("size", 0, NULL, HERE, a, n), (const char *a, off64_t n), (a, n),
        const char *, off64_t)
CHECKED(int, ftruncate, CHANGE, fd, NULL, SIZED(fd, n), (int fd, off_t n), (fd, n), int, off_t)
CHECKED(int, ftruncate64, CHANGE, fd, NULL, SIZED(fd, n), (int fd, off64_t n), (fd, n), int, off64_t)
CHECKED(int, fallocate, SPACE, fd, NULL, note_whole(fd), (int fd, int m, off_t o, off_t n), (fd, m, o, n),
        int, int, off_t, off_t)
CHECKED(int, fallocate64, SPACE, fd, NULL, note_whole(fd), (int fd, int m, off64_t o, off64_t n), (fd, m, o, n),
        int, int, off64_t, off64_t)
CHECKED(int, fsync, SYNC, fd, NULL, SYNCED(fd), (int fd), (fd), int)
CHECKED(int, fdatasync, SYNC, fd, NULL, SYNCED(fd), (int fd), (fd), int)
CHECKED(int, chmod, CHANGE, HERE, a, note_paths("mode", 0, NULL, HERE, a, m), (const char *a, mode_t m), (a, m),
        const char *, mode_t)
CHECKED(int, fchmod, CHANGE, fd, NULL, note_fd("mode", fd, m, "", 0), (int fd, mode_t m), (fd, m), int, mode_t)
CHECKED(int, fchmodat, CHANGE, d, a, note_paths("mode", 0, NULL, d, a, m), (int d, const char *a, mode_t m, int f),
        (d, a, m, f), int, const char *, mode_t, int)
CHECKED(int, utimensat, CHANGE, d, a, (void)0, (int d, const char *a, const struct timespec t[2], int f), (d, a, t, f),
        int, const char *, const struct timespec *, int)
CHECKED(int, futimens, CHANGE, fd, NULL, (void)0, (int fd, const struct timespec t[2]), (fd, t),
        int, const struct timespec *)
CHECKED(ssize_t, copy_file_range, SPACE, b, NULL, note_whole(b),
        (int a, off64_t *o, int b, off64_t *p, size_t n, unsigned f), (a, o, b, p, n, f),
        int, off64_t *, int, off64_t *, size_t, unsigned)
CHECKED(ssize_t, sendfile, SPACE, b, NULL, note_whole(b), (int b, int a, off_t *o, size_t n), (b, a, o, n),
        int, int, off_t *, size_t)
CHECKED(ssize_t, sendfile64, SPACE, b, NULL, note_whole(b), (int b, int a, off64_t *o, size_t n), (b, a, o, n),
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
    begin();
    int result = real(fd, request, argument);
    if (result == 0 && request == FICLONE_REQUEST)
        note_whole(fd);
    done();
    return result;
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
    if (number == SYS_openat2 && enter("openat2", OPENS, (int)a[0], (const char *)a[1]))
        return -1;
    int is_rename = number == SYS_renameat2 && log_fd >= 0;
    if (is_rename)
        begin();
    long result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (is_rename && result == 0)
        RENAMED((int)a[0], (const char *)a[1], (int)a[2], (const char *)a[3], (unsigned)a[4]);
    if (is_rename)
        done();
    return result;
}
