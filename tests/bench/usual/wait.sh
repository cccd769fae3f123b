while [ "$(sh "${0%/*}/look.sh")" = building ]; do
    sleep 1
done
