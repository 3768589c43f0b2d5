/* The module's functions on a socket of the kernel's: here, it is one of the process. Errors are negative, as the kernel's are. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct given_init {
    int family;
    int type;
};

struct given_address {
    char bytes[128];
    int length;
};

struct given_message {
    struct given_address address;
    char bytes[10];
    int length;
};

/* struct msghdr and struct iovec of the C library, on 64-bit machines. */
struct given_area {
    void *start;
    u64 length;
};

struct given_header {
    void *name;
    u64 name_length;
    struct given_area *areas;
    u64 count;
    void *control;
    u64 control_length;
    u64 flags;
};

extern int socket(int family, int type, int protocol);
extern int close(int fd);
extern int bind(int fd, const void *address, u32 length);
extern int connect(int fd, const void *address, u32 length);
extern int listen(int fd, int backlog);
extern int getsockname(int fd, void *address, u32 *length);
extern int getpeername(int fd, void *address, u32 *length);
extern long sendmsg(int fd, const void *message, int flags);
extern int *__errno_location(void);

/* The descriptor and 1; 0: there is no socket. */
static int sock;

static int result(long returned) { return returned < 0 ? -*__errno_location() : (int)returned; }

static bool is_too_long(const struct given_address *address) { return (u32)address->length > sizeof address->bytes; }

int bpf_kfunc_init_sock(struct given_init *args)
{
    if (sock)
        return -1;
    if (args->family != 1 && args->family != 2 && args->family != 10)
        return -22;
    int fd = socket(args->family, args->type, 0);
    if (fd < 0)
        return result(fd);
    sock = fd + 1;
    return 0;
}

void bpf_kfunc_close_sock(void)
{
    if (sock)
        close(sock - 1);
    sock = 0;
}

int bpf_kfunc_call_kernel_connect(struct given_address *address)
{
    if (is_too_long(address))
        return -22;
    return sock ? result(connect(sock - 1, address->bytes, address->length)) : -1;
}

int bpf_kfunc_call_kernel_bind(struct given_address *address)
{
    if (is_too_long(address))
        return -22;
    return sock ? result(bind(sock - 1, address->bytes, address->length)) : -1;
}

int bpf_kfunc_call_kernel_listen(void) { return sock ? result(listen(sock - 1, 128)) : -1; }

static int send(struct given_message *message)
{
    if (is_too_long(&message->address) || (u32)message->length > sizeof message->bytes)
        return -22;
    if (!sock)
        return -1;
    struct given_area area = { message->bytes, message->length };
    struct given_header header = { .name = message->address.bytes, .name_length = message->address.length, .areas = &area,
                                   .count = 1 };
    return result(sendmsg(sock - 1, &header, 0));
}

int bpf_kfunc_call_kernel_sendmsg(struct given_message *message) { return send(message); }

int bpf_kfunc_call_sock_sendmsg(struct given_message *message) { return send(message); }

int bpf_kfunc_call_kernel_getsockname(struct given_address *address)
{
    u32 length = sizeof address->bytes;
    if (!sock)
        return -1;
    int error = result(getsockname(sock - 1, address->bytes, &length));
    if (!error)
        address->length = length;
    return error;
}

int bpf_kfunc_call_kernel_getpeername(struct given_address *address)
{
    u32 length = sizeof address->bytes;
    if (!sock)
        return -1;
    int error = result(getpeername(sock - 1, address->bytes, &length));
    if (!error)
        address->length = length;
    return error;
}
