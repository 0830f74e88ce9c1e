using BlockRepl.Platform.Loop;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Questions from another thread to a volume's loop.</summary>
internal static class VolumeLoop
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Runs it on the volume's loop and waits for what it returns.</summary>
    /// <exception cref="DeviceNodeException">The loop has ended or does not answer.</exception>
    public static T Ask<T>(IVolumeDevice volume, Func<T> question)
    {
        Task<T> answer = Post(volume.Loop, question, volume.Name);
        return answer.Wait(Patience)
            ? answer.GetAwaiter().GetResult()
            : throw new DeviceNodeException($"{volume.Name}: the resource does not answer");
    }

    /// <summary>The facts of the volume now.</summary>
    /// <exception cref="DeviceNodeException">It cannot be served.</exception>
    public static VolumeFacts Describe(IVolumeDevice volume)
    {
        var (granted, facts, refusal) =
            Ask(volume, () => (volume.TryDescribe(out var facts, out var refusal), facts, refusal));
        return granted ? facts : throw new DeviceNodeException(refusal);
    }

    private static Task<T> Post<T>(EventLoop loop, Func<T> question, string name)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var posted = loop.Post(() =>
        {
            try
            {
                answer.SetResult(question());
            }
            catch (Exception e) when (e is DeviceNodeException or IOException)
            {
                answer.SetException(e);
            }
        });
        return posted ? answer.Task : throw new DeviceNodeException($"{name}: the resource has ended");
    }
}
