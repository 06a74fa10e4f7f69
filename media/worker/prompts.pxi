# Prompts: files the server encoded before, mapped and shared by all who hear them.

cdef bint offsets_hold(const uint8_t *data, Variant *variant) noexcept nogil:
    """Frames of their own sizes: each where its offset says, one after the other."""
    cdef const uint32_t *offsets = <const uint32_t *>(data + variant.start)
    cdef uint64_t room = variant.size - 4 * (<uint64_t>variant.frames + 1)
    cdef uint32_t i
    for i in range(variant.frames):
        if offsets[i] > offsets[i + 1] or offsets[i + 1] - offsets[i] > MAX_FRAME:
            return False
    return offsets[variant.frames] <= room


cdef bint variant_holds(const uint8_t *data, uint64_t size, Variant *variant) noexcept nogil:
    """All of it lies within the file."""
    if variant.start > size or variant.size > size - variant.start or variant.frame_bytes > MAX_FRAME:
        return False
    if variant.frame_bytes:
        return <uint64_t>variant.frames * variant.frame_bytes <= variant.size
    if variant.start % 4 or 4 * (<uint64_t>variant.frames + 1) > variant.size:
        return False
    return offsets_hold(data, variant)


cdef bint read_prompt(Prompt *prompt) noexcept nogil:
    """Copy the head of a mapped file; False if it is none."""
    cdef PromptHead *head = <PromptHead *>prompt.data
    cdef Variant *variant
    cdef uint32_t i
    if prompt.size < sizeof(PromptHead) or memcmp(head.magic, b"PLP1", 4) or head.variants > MAX_VARIANTS:
        return False
    if prompt.size < sizeof(PromptHead) + head.variants * sizeof(Variant):
        return False
    prompt.variant_count = head.variants
    for i in range(head.variants):
        variant = &prompt.variants[i]
        variant[0] = (<Variant *>(prompt.data + sizeof(PromptHead)))[i]
        if not variant_holds(prompt.data, prompt.size, variant):
            return False
    return True


cdef const uint8_t *frame_of(Prompt *prompt, int codec, uint32_t number, int *size) noexcept nogil:
    """20 ms in a codec; NULL after the last, or without that codec."""
    cdef Variant *variant
    cdef const uint32_t *offsets
    cdef uint32_t i
    for i in range(prompt.variant_count):
        variant = &prompt.variants[i]
        if variant.codec != codec:
            continue
        if number >= variant.frames:
            return NULL
        if variant.frame_bytes:
            size[0] = variant.frame_bytes
            return prompt.data + variant.start + <uint64_t>number * variant.frame_bytes
        offsets = <const uint32_t *>(prompt.data + variant.start)
        size[0] = <int>(offsets[number + 1] - offsets[number])
        return <const uint8_t *>(offsets + variant.frames + 1) + offsets[number]
    return NULL


cdef void forget(Prompt *prompt) noexcept nogil:
    prompt.users -= 1
    if prompt.users == 0:
        munmap(prompt.data, prompt.size)
        free(prompt)


cdef void forget_all(Loop *loop) noexcept nogil:
    """A server that comes gives its own; what plays goes on."""
    cdef int slot
    for slot in range(MAX_PROMPTS):
        if loop.prompts[slot] != NULL:
            forget(loop.prompts[slot])
            loop.prompts[slot] = NULL


cdef void set_prompt(Loop *loop, uint32_t slot, int fd) noexcept nogil:
    """Map the memfd that came with the command; what plays the old content plays it to its end."""
    cdef Prompt *prompt
    cdef stat_t info
    if slot >= MAX_PROMPTS:
        refuse(loop, UNKNOWN)
        return
    if loop.prompts[slot] != NULL:
        forget(loop.prompts[slot])
        loop.prompts[slot] = NULL
    if fd < 0 or fstat(fd, &info) < 0 or info.st_size <= 0:
        return
    prompt = <Prompt *>calloc(1, sizeof(Prompt))
    if prompt == NULL:
        return
    prompt.size = <uint64_t>info.st_size
    prompt.users = 1
    prompt.data = <uint8_t *>mmap(NULL, prompt.size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0)
    if <void *>prompt.data == MAP_FAILED:
        free(prompt)
        return
    if not read_prompt(prompt):
        forget(prompt)
        refuse(loop, UNKNOWN)
        return
    loop.prompts[slot] = prompt
