namespace BlockRepl.Platform.Native;

/// <summary>
/// Compares the native library's idea of the shared structures with ours, before anything else is called.
/// </summary>
internal static unsafe class AbiCheck
{
    private static bool _passed;

    /// <summary>Sizes and last offsets in the order of enum brn_struct.</summary>
    public static (uint Size, uint LastOffset)[] Layouts()
    {
        NativeOp op = default;
        NativeCompletion completion = default;
        NativeIovec iovec = default;
        NativeRingOptions ring = default;
        NativeDigestItem digest = default;
        NativeDeviceInfo device = default;
        NativeSocketOptions socket = default;
        NativeNbdConfig nbd = default;
        NativeUblkConfig ublk = default;
        NativeUblkInfo info = default;
        NativeUblkRequest request = default;
        NativeLoopOptions loop = default;
        NativeGuardOrders guard = default;
        return
        [
            ((uint)sizeof(NativeOp), Offset(&op, &op.Flags)),
            ((uint)sizeof(NativeCompletion), Offset(&completion, &completion.Reserved)),
            ((uint)sizeof(NativeIovec), Offset(&iovec, &iovec.Length)),
            ((uint)sizeof(NativeRingOptions), Offset(&ring, &ring.MaxDescriptors)),
            ((uint)sizeof(NativeDigestItem), Offset(&digest, &digest.Output)),
            ((uint)sizeof(NativeDeviceInfo), Offset(&device, &device.Reserved)),
            ((uint)sizeof(NativeSocketOptions), Offset(&socket, &socket.Backlog)),
            ((uint)sizeof(NativeNbdConfig), Offset(&nbd, &nbd.EndOnClose)),
            ((uint)sizeof(NativeUblkConfig), Offset(&ublk, &ublk.Depth)),
            ((uint)sizeof(NativeUblkInfo), Offset(&info, &info.Reserved)),
            ((uint)sizeof(NativeUblkRequest), Offset(&request, &request.Reserved)),
            ((uint)sizeof(NativeLoopOptions), Offset(&loop, &loop.Flags)),
            ((uint)sizeof(NativeGuardOrders), Offset(&guard, &guard.CrashSeconds)),
        ];
    }

    /// <exception cref="InvalidOperationException">The library found is not the one this program was built
    /// with.</exception>
    public static void Run()
    {
        if (_passed)
        {
            return;
        }

        var version = NativeMethods.GetAbiVersion();
        if (version != NativeMethods.AbiVersion)
        {
            throw new InvalidOperationException(
                $"libblockrepl_native.so has interface version {version}, {NativeMethods.AbiVersion} is needed: "
                + "rebuild native/");
        }

        var layouts = Layouts();
        for (var i = 0; i < layouts.Length; i++)
        {
            var (size, lastOffset) = layouts[i];
            if (NativeMethods.GetStructSize((uint)i) != size
                || NativeMethods.GetStructLastOffset((uint)i) != lastOffset)
            {
                throw new InvalidOperationException(
                    $"libblockrepl_native.so lays out structure {i} in another way: rebuild native/");
            }
        }

        _passed = true;
    }

    private static uint Offset(void* begin, void* field) => (uint)((byte*)field - (byte*)begin);
}
