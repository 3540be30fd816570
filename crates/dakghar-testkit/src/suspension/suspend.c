// Loaded before a program: its monotonic clock shows less by so many nanoseconds as the file says that SUSPENDED_FOR
// names, as if the machine had been suspended for so long. All other clocks are left alone.
//
// A program may read a clock past libc, so the function of the kernel's own library is replaced where it lies.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FUNCTION "__vdso_clock_gettime"
// movabs rax, ADDRESS; jmp rax
static const unsigned char JUMP[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
#define ADDRESS_AT 2
#elif defined(__aarch64__)
#define FUNCTION "__kernel_clock_gettime"
// ldr x16, ADDRESS; br x16; ADDRESS
static const unsigned char JUMP[] = {0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0};
#define ADDRESS_AT 8
#else
#error "no jump is written for this machine"
#endif

static const volatile int64_t *suspended_for;

static int clock_of_the_suspended(clockid_t id, struct timespec *time) {
    if (syscall(SYS_clock_gettime, id, time) != 0) return -errno;
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE) {
        int64_t shown = time->tv_sec * INT64_C(1000000000) + time->tv_nsec - *suspended_for;
        time->tv_sec = shown / INT64_C(1000000000);
        time->tv_nsec = shown % INT64_C(1000000000);
    }
    return 0;
}

static void give_up(const char *why) {
    fprintf(stderr, "suspend.c: %s: %s\n", why, strerror(errno));
    abort();
}

// The kernel changes the protection of the whole of its library only.
static int find_library(uintptr_t *from, uintptr_t *until) {
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    int is_found = 0;
    while (!is_found && maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        is_found = strstr(line, "[vdso]") != NULL && sscanf(line, "%" SCNxPTR "-%" SCNxPTR, from, until) == 2;
    }
    if (maps != NULL) fclose(maps);
    return is_found;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SUSPENDED_FOR");
    if (path == NULL) give_up("SUSPENDED_FOR is not set");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *shared = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *suspended_for, PROT_READ, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED) give_up("the file of SUSPENDED_FOR cannot be used");
    close(file);
    suspended_for = shared;

    void *library = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
    char *function = library == NULL ? NULL : dlsym(library, FUNCTION);
    if (function == NULL) give_up("the kernel's library has no clock");
    unsigned char jump[sizeof JUMP];
    uintptr_t address = (uintptr_t)clock_of_the_suspended;
    memcpy(jump, JUMP, sizeof jump);
    memcpy(jump + ADDRESS_AT, &address, sizeof address);
    uintptr_t from = 0, until = 0;
    if (!find_library(&from, &until)) give_up("the kernel's library is not found");
    size_t length = until - from;
    if (mprotect((void *)from, length, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) give_up("the clock cannot be replaced");
    memcpy(function, jump, sizeof jump);
    __builtin___clear_cache(function, function + sizeof jump);
    mprotect((void *)from, length, PROT_READ | PROT_EXEC);
}
