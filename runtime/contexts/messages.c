/* Helpers of programs on sockets' messages (struct sk_msg_md), which a test fills in itself: its data is one piece of
   memory, so nothing has to be pulled, and what grows a message is refused for want of room. */
#include "contexts/packet.h"

HELPER(long, msg_apply_bytes, (struct sk_msg_md *message, u32 bytes)) {
    return 0;
}

HELPER(long, msg_cork_bytes, (struct sk_msg_md *message, u32 bytes)) {
    return 0;
}

HELPER(long, msg_pull_data, (struct sk_msg_md *message, u32 start, u32 end, u64 flags)) {
    if (unlikely(flags)) return -EINVAL;
    u64 length = message->data_end - message->data;
    if (unlikely(end <= start || start >= length || end > length)) return -EINVAL;
    message->data_end = message->data + end;
    message->data += start;
    return 0;
}

HELPER(long, msg_push_data, (struct sk_msg_md *message, u32 start, u32 length, u64 flags)) {
    if (unlikely(flags)) return -EINVAL;
    if (unlikely(!length)) return 0;
    return start > message->size ? -EINVAL : -ENOMEM;
}

HELPER(long, msg_pop_data, (struct sk_msg_md *message, u32 start, u32 length, u64 flags)) {
    if (unlikely(flags)) return -EINVAL;
    u64 whole = message->data_end - message->data;
    if (unlikely(!length || (u64)start + length > whole)) return -EINVAL;
    memmove(message->data + start, message->data + start + length, whole - start - length);
    message->data_end -= length;
    message->size -= length;
    return 0;
}
